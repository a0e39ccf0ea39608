"""Owns what a training whose rows hold images needs before it begins; refuses to know how a model looks at them."""

from __future__ import annotations

from pathlib import Path

from paddock.data.files import each_row, first_rows, folder_of
from paddock.data.pictures import read
from paddock.data.rows import Row
from paddock.errors import FieldInvalid
from paddock.training.spec import TrainSpec, form_of

# What says how a base looks at images, of which Transformers writes one or the other.
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
_ROWS_MOST = 1000
# These are unpacked; all others the worker unpacks, before its first step.
_LOOKED_AT_MOST = 64
_WITHOUT: tuple[tuple[str, object, str], ...] = (
    ("makes_gguf", False, "what sees is not written as GGUF here"),
    ("dry_run", "no", "it tries what is written as GGUF"),
    ("packs", False, "several rows in one would share their images"),
    ("processes", 1, "rows with images are trained on in one process"),
    ("cluster", "", "rows with images are trained on in one process"),
)


def sees(base: Path) -> bool:
    """Whether a base has what makes numbers of images."""
    return any((base / name).is_file() for name in PROCESSORS)


def shows_images(spec: TrainSpec) -> bool:
    """Whether any row holds an image. Raises FieldInvalid."""
    files = [name for name in (spec.data, spec.eval_data) if name]
    return spec.method == "sft" and any(
        isinstance(row, Row) and row.images for name in files for row in each_row(name, form_of(spec.method))
    )


def refuse_unseen(spec: TrainSpec, base: Path) -> None:
    """Look whether images among the first rows can be learnt from. Blocking. Raises FieldInvalid."""
    if spec.method != "sft":
        return
    left = _LOOKED_AT_MOST
    for name in ("data", "eval_data"):
        if not (path := getattr(spec, name)):
            continue
        rows = first_rows(path, _ROWS_MOST, form_of(spec.method))
        pictures = [picture for row in rows if isinstance(row, Row) for picture in row.images]
        if pictures:
            refuse_what_excludes_images(spec, base)
        try:
            for picture in pictures[:left]:
                read(picture, folder_of(path))
        except FieldInvalid as error:
            raise FieldInvalid(error.message, param=name) from error
        left -= len(pictures[:left])


def refuse_what_excludes_images(spec: TrainSpec, base: Path) -> None:
    """Raises FieldInvalid where a training with images cannot be this one; `param` is the option to change."""
    if not sees(base):
        raise FieldInvalid(
            f"Rows hold images, and {base.name} reads words alone: it has no processor for images "
            f"({' or '.join(PROCESSORS)}). Name a base that sees, or leave the images out.",
            param="base",
        )
    for option, value, reason in _WITHOUT:
        if getattr(spec, option) != value:
            raise FieldInvalid(
                f"Rows hold images, and {option} is {str(getattr(spec, option)).lower()}: {reason}. "
                f"Say {option} {str(value).lower() or 'nothing'}.",
                param=option,
            )
