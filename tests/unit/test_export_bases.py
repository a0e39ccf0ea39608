"""Tests which forms of weights are exported, and what the headers of those in 4 bits tell before anything is read."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import FieldInvalid
from paddock.export.adapting import changed_by
from paddock.export.bases import into, is_in_4_bits, refuse_other_forms
from paddock.export.estimate import estimated
from paddock.export.spec import spec_of
from paddock.models.weights import Packed, packed_in, told_in, weights_of
from tests.unit.test_export_estimate import MATRIX, adapter

NF4 = {"quant_method": "bitsandbytes", "load_in_4bit": True}
STATE: dict[str, Any] = {
    "quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [256, 64], "nested_blocksize": 256,
    "nested_dtype": "float32", "nested_offset": 0.05,
}  # fmt: skip
STATE_NAME = f"{MATRIX}.quant_state.bitsandbytes__nf4"


def written(file: Path, tensors: dict[str, tuple[str, list[int], bytes]]) -> None:
    header: dict[str, Any] = {}
    data = b""
    for name, (dtype, shape, said) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(said)]}
        data += said
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)


def base(folder: Path, state: bytes | None = None, **said: Any) -> Path:
    """A base with one matrix in 4 bits, and a table of tokens that is not."""
    made = folder / "base"
    made.mkdir()
    tensors = {
        "model.embed_tokens.weight": ("BF16", [1000, 64], bytes(2 * 1000 * 64)),
        MATRIX: ("U8", [8192, 1], bytes(8192)),
        f"{MATRIX}.absmax": ("U8", [256], bytes(256)),
        f"{MATRIX}.nested_absmax": ("F32", [1], bytes(4)),
        f"{MATRIX}.nested_quant_map": ("F32", [256], bytes(1024)),
        f"{MATRIX}.quant_map": ("F32", [16], bytes(64)),
    }
    text = json.dumps(STATE).encode() if state is None else state
    written(made / "model.safetensors", {**tensors, STATE_NAME: ("U8", [len(text)], text)})
    (made / "config.json").write_text(json.dumps({"vocab_size": 1000, "quantization_config": NF4, **said}), "utf-8")
    return made


def test_matrices_in_4_bits_are_told_as_what_they_were(tmp_path: Path) -> None:
    made = base(tmp_path)
    file = made / "model.safetensors"
    assert packed_in(file) == {
        MATRIX: Packed(
            kind="nf4", shape=(256, 64), kept_as="BF16", block=64, nested_block=256, nested_offset=0.05
        )
    }  # fmt: skip
    shapes = {"model.embed_tokens.weight": (1000, 64), MATRIX: (256, 64)}
    assert told_in(file) == {name: ("BF16", shape) for name, shape in shapes.items()}
    weights = weights_of(made)
    assert weights
    assert (weights.shapes, weights.parameters) == (shapes, 1000 * 64 + 256 * 64)
    assert changed_by(adapter(tmp_path), made) == {MATRIX}


def test_what_is_unpacked_needs_room_too(tmp_path: Path) -> None:
    made, trained = base(tmp_path), adapter(tmp_path)
    parameters = 1000 * 64 + 256 * 64
    whole, alone = (
        estimated(spec_of({"source": "/a", "name": "a", "types": [kind]}), made, trained) for kind in ("F16", "ADAPTER")
    )
    assert whole
    assert alone
    # What the 4 bits stand for, what is merged, and the file.
    assert (whole.disk_bytes, whole.merged_bytes, whole.is_streamed) == (6 * parameters, 4 * parameters, True)
    assert alone.disk_bytes == 0
    (made / "config.json").write_text('{"vocab_size": 1000}', "utf-8")
    plain = estimated(spec_of({"source": "/a", "name": "a", "types": ["F16"]}), made, trained)
    assert plain
    assert plain.disk_bytes == 4 * parameters


DAMAGED: list[dict[str, Any]] = [
    {"shape": None}, {"shape": []}, {"shape": [0, 4]}, {"shape": [-1, 64]}, {"shape": "ab"}, {"blocksize": 0},
    {"blocksize": "x"}, {"dtype": "float8"}, {"dtype": []}, {"nested_blocksize": -5}, {"nested_offset": "x"},
    {"blocksize": 1e999},
]  # fmt: skip


@pytest.mark.parametrize(
    "state",
    [
        b"", b"{", b"[]", b"5", b'"x"', b"null", b"{}", b" " * 70_000,
        *(json.dumps({**STATE, **more}).encode() for more in DAMAGED),
    ],
)  # fmt: skip
def test_what_does_not_say_what_it_is_made_of_is_refused(tmp_path: Path, state: bytes) -> None:
    made = base(tmp_path, state)
    with pytest.raises(FieldInvalid, match="cannot be read"):
        weights_of(made)
    assert changed_by(adapter(tmp_path), made) is None


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"quant_method": "gptq", "bits": 4}, "(GPTQ)"),
        ({"quant_method": "awq"}, "(AWQ)"),
        ({"quant_method": "fp8"}, "(FP8)"),
        ({"quant_method": "mxfp4"}, "(MXFP4)"),
        ({"quant_method": "compressed-tensors"}, "(compressed tensors)"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "(bitsandbytes, 8 bits)"),
        ({"quant_method": "my own"}, "('my own')"),
        ({"bits": 4}, "('unknown')"),
        ("strange", "('strange')"),
    ],
)
@pytest.mark.parametrize("inner", [False, True], ids=["whole", "language part"])
def test_other_forms_are_refused_by_name_with_what_to_name_instead(
    tmp_path: Path, said: Any, named: str, *, inner: bool
) -> None:
    table = {"quantization_config": said}
    (tmp_path / "config.json").write_text(json.dumps({"text_config": table} if inner else table), "utf-8")
    assert not is_in_4_bits(tmp_path)
    with pytest.raises(FieldInvalid) as raised:
        refuse_other_forms(tmp_path)
    assert raised.value.param == "base"
    assert f"kept in fewer bits already {named}" in raised.value.message
    assert "Name the folder of the same model in 16 bits as base." in raised.value.message


def test_what_is_in_4_bits_is_exported_of_safetensors_alone(tmp_path: Path) -> None:
    made = base(tmp_path)
    refuse_other_forms(made)
    assert is_in_4_bits(made)
    (made / "model.safetensors").rename(made / "pytorch_model.bin")
    with pytest.raises(FieldInvalid, match="in files that are no safetensors"):
        refuse_other_forms(made)


def test_it_is_told_which_weights_an_adapter_is_made_part_of(tmp_path: Path) -> None:
    made = base(tmp_path)
    assert [into(made, was_held_in_4_bits=held) for held in (True, False)] == ["dequantised"] * 2
    (made / "config.json").write_text("{}", "utf-8")
    refuse_other_forms(made)
    assert [into(made, was_held_in_4_bits=held) for held in (True, False)] == ["as_on_disk", "as_it_is"]
