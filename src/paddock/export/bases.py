"""Owns in which form a base's weights are kept, and which of them are exported; reads no weight.

What bitsandbytes keeps in 4 bits is turned back into the numbers of 16 bits that it stands for. Covered: NF4 and FP4,
with scales as numbers or in 8 bits. Not covered, and refused by name: every other form of fewer bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from paddock.errors import FieldInvalid, shown
from paddock.values import table_in

# What an adapter is made part of: the base as it is, or as it lies on the disk although it was trained beside 4 bits of
# it, or what the base's 4 bits stand for.
Into = Literal["as_it_is", "as_on_disk", "dequantised"]
_KNOWN = {
    "gptq": "GPTQ", "awq": "AWQ", "fp8": "FP8", "fbgemm_fp8": "FP8", "finegrained_fp8": "FP8", "mxfp4": "MXFP4",
    "compressed-tensors": "compressed tensors", "bitnet": "BitNet", "hqq": "HQQ", "eetq": "EETQ", "aqlm": "AQLM",
    "quanto": "Quanto", "torchao": "torchao", "higgs": "HIGGS", "vptq": "VPTQ", "spqr": "SpQR",
    "auto-round": "AutoRound",
}  # fmt: skip


def is_in_4_bits(base: Path) -> bool:
    """Whether bitsandbytes keeps the weights in a folder in 4 bits."""
    kind = _said_of(base)
    return str(kind.get("quant_method", "bitsandbytes")) == "bitsandbytes" and bool(
        kind.get("load_in_4bit") or kind.get("_load_in_4bit")
    )


def into(base: Path, *, was_held_in_4_bits: bool) -> Into:
    """What an adapter that was trained on a base is made part of."""
    if is_in_4_bits(base):
        return "dequantised"
    return "as_on_disk" if was_held_in_4_bits else "as_it_is"


def refuse_other_forms(base: Path) -> None:
    """Raises FieldInvalid where the weights are kept in fewer bits than 16 in a form that is not turned back here."""
    kind = _said_of(base)
    if not kind:
        return
    if is_in_4_bits(base):
        if next(base.glob("*.safetensors"), None) is None:
            raise FieldInvalid(
                f"The weights in {base} are in 4 bits (bitsandbytes), and in files that are no safetensors. Have "
                "Transformers write them as safetensors, or name the folder of the same model in 16 bits as base.",
                param="base",
            )
        return
    method = str(kind.get("quant_method") or "unknown")
    name = "bitsandbytes, 8 bits" if method == "bitsandbytes" else _KNOWN.get(method, shown(method))
    raise FieldInvalid(
        f"The weights in {base} are kept in fewer bits already ({name}). Only what bitsandbytes keeps in 4 bits is "
        "turned back into 16 bits here. Name the folder of the same model in 16 bits as base.",
        param="base",
    )


def _said_of(base: Path) -> Mapping[str, Any]:
    said = table_in(base / "config.json")
    # Some models that see keep it in the table of their language part.
    inner = said.get("text_config")
    kind = said.get("quantization_config") or (
        cast("dict[str, Any]", inner).get("quantization_config") if isinstance(inner, dict) else None
    )
    if kind is None:
        return {}
    return cast("dict[str, Any]", kind) if isinstance(kind, dict) else {"quant_method": str(kind)}
