"""Tests what an export is reckoned to need before it begins, and which adapters are merged matrix by matrix."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import FieldInvalid
from paddock.export.adapting import changed_by
from paddock.export.estimate import Estimate, estimated, refuse_too_large
from paddock.export.spec import ExportSpec, spec_of
from paddock.models.weights import header_of

GB = 10**9
MATRIX = "model.layers.0.mlp.up_proj.weight"
SHAPES = {"model.embed_tokens.weight": (1000, 64), MATRIX: (256, 64), "model.norm.weight": (64,)}
PARTS = {f"base_model.model.{MATRIX.removesuffix('.weight')}.lora_{one}.weight": (8, 64) for one in "AB"}


def spec(**more: Any) -> ExportSpec:
    return spec_of({"source": "/a", "name": "a", **more})


def written(file: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A file of safetensors with these tensors, whose numbers are noughts."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [begin, end]}
    said = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(said)) + said + bytes(end))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "base"
    folder.mkdir()
    written(folder / "model.safetensors", SHAPES)
    (folder / "config.json").write_text('{"vocab_size": 1000}', "utf-8")
    return folder


def adapter(folder: Path, parts: dict[str, tuple[int, ...]] = PARTS, **settings: Any) -> Path:
    folder = folder / "adapter"
    folder.mkdir()
    written(folder / "adapter_model.safetensors", parts)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **settings}), "utf-8")
    return folder


def test_the_matrices_of_an_adapter_are_told_by_the_headers(base: Path, tmp_path: Path) -> None:
    assert changed_by(adapter(tmp_path), base) == {MATRIX}
    header, begin = header_of(base / "model.safetensors")
    assert header[MATRIX]["shape"] == [256, 64]
    assert begin + header["model.norm.weight"]["data_offsets"][1] == (base / "model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("parts", "settings"),
    [
        ({**PARTS, "base_model.model.model.layers.9.mlp.up_proj.lora_A.weight": (8, 64)}, {}),
        ({**PARTS, "base_model.model.model.norm.lora_A.weight": (8, 64)}, {}),
        ({**PARTS, "base_model.model.model.embed_tokens.lora_embedding_A": (8, 64)}, {}),
        ({"base_model.model.model.embed_tokens.lora_A.weight": (8, 64)}, {}),
        ({**PARTS, "base_model.model.model.layers.0.mlp.up_proj.lora_B.bias": (8,)}, {}),
        (PARTS, {"modules_to_save": ["lm_head"]}),
        (PARTS, {"peft_type": "IA3"}),
        ({}, {}),
    ],
    ids=["unknown", "vector", "table", "table as matrix", "bias", "whole module", "other kind", "empty"],
)
def test_an_adapter_of_anything_else_is_merged_as_a_whole(
    base: Path, tmp_path: Path, parts: dict[str, tuple[int, ...]], settings: dict[str, Any]
) -> None:
    assert changed_by(adapter(tmp_path, parts, **settings), base) is None


def test_an_adapter_that_cannot_be_read_is_merged_as_a_whole(base: Path, tmp_path: Path) -> None:
    made = adapter(tmp_path)
    (made / "adapter_model.safetensors").write_bytes(b"\xff" * 20)
    assert changed_by(made, base) is None
    assert changed_by(tmp_path / "nowhere", base) is None


def test_what_an_export_needs_follows_from_shapes_types_and_adapter(base: Path, tmp_path: Path) -> None:
    parameters = 1000 * 64 + 256 * 64 + 64
    plain = estimated(spec(types=["F16"], certifies=False), base, None)
    assert plain == Estimate(
        merged_bytes=0, disk_bytes=2 * parameters, merging_bytes=0, comparing_bytes=0, is_streamed=False
    )
    assert plain is not None
    assert plain.memory_bytes == 0
    streamed = estimated(spec(types=["F16"]), base, adapter(tmp_path))
    whole = estimated(spec(types=["F16"]), base, adapter(tmp_path / "base", modules_to_save=["lm_head"]))
    assert streamed
    assert whole
    assert streamed.is_streamed
    assert not whole.is_streamed
    assert streamed.disk_bytes == 4 * parameters
    # One matrix is held, or all of the model; one model in 32 bits is compared, or three.
    assert whole.merging_bytes - streamed.merging_bytes == 4 * parameters - 4 * 4 * 256 * 64
    assert whole.comparing_bytes - streamed.comparing_bytes == 2 * 4 * parameters


def test_weights_of_another_form_are_not_reckoned(tmp_path: Path) -> None:
    assert estimated(spec(), tmp_path, None) is None


@pytest.mark.parametrize(
    ("found", "param", "words"),
    [
        ({"disk_bytes": 9 * GB}, "types", "F16, Q8_0 take about 9.0 GB, and 8.0 GB are free"),
        ({"merging_bytes": 5 * GB}, "source", "needs about 5.0 GB of memory, and this machine has 4.0 GB. What it"),
        ({"merging_bytes": 5 * GB, "is_streamed": True}, "source", "this machine has 4.0 GB. Export it where"),
        ({"comparing_bytes": 5 * GB}, "certifies", "Comparing needs about 5.0 GB of memory"),
    ],
    ids=["disk", "merge", "merge by matrices", "compare"],
)
def test_what_does_not_fit_is_refused_with_its_figures(found: dict[str, Any], param: str, words: str) -> None:
    none: dict[str, Any] = {
        "disk_bytes": 0,
        "merged_bytes": 0,
        "merging_bytes": 0,
        "comparing_bytes": 0,
        "is_streamed": False,
    }
    refuse_too_large(Estimate(**none), spec(), memory_bytes=4 * GB, disk_bytes=8 * GB)
    with pytest.raises(FieldInvalid) as raised:
        refuse_too_large(Estimate(**{**none, **found}), spec(), memory_bytes=4 * GB, disk_bytes=8 * GB)
    assert raised.value.param == param
    assert words in raised.value.message
