"""Owns writing a GGUF file with weights of fewer bits; refuses to judge what is lost.

By llama.cpp's own `llama-quantize` where the engine in use has one beside it. Else by the function by which that
quantises too, `ggml_quantize_chunk` of the embedded engine's library: exported, though nobody promises it, so that a
test guards it.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from paddock.errors import PaddockError
from paddock.export.worker.pieces import Opened, begin
from paddock.export.worker.programs import must
from paddock.paths import draft_of

_FALLBACK = gguf.GGMLQuantizationType.Q8_0
_FILE_TYPES = {"Q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "Q6_K": gguf.LlamaFileType.MOSTLY_Q6_K}
_VERSION = "general.quantization_version"
_OWN = ("general.file_type", _VERSION)
# Small tables that the engine computes with as they are.
_AS_THEY_ARE = ("_norm", "ffn_gate_inp", "ssm_conv1d", "shortconv.conv", "time_mix_", "rope_", "position_embd")
# Rows are quantised in pieces of about so many numbers.
_PIECE = 2**24
# The engine reads what is important in stretches of so many tokens, each to its end.
_WEIGHED_TOKENS = 512
Run = Callable[[list[str]], subprocess.CompletedProcess[str]]


def quantise(
    plain: Path, target: Path, kind: str, *, by: Mapping[str, str], run: Run, importance: Path | None = None
) -> None:
    """Write `plain` in another type, whole or not at all. Raises PaddockError, OSError, or what `run` raises.

    `importance` is what `weigh` wrote.
    """
    draft = draft_of(target, ".draft.gguf")
    if program := by.get("program"):
        more = ["--imatrix", str(importance)] if importance else []
        must(run([program, *more, str(plain), str(draft), kind]), f"llama-quantize could not write {kind}")
    elif library := by.get("library"):
        _write(plain, draft, kind, _Quantiser(library))
    else:
        raise PaddockError(f"There is nothing here that writes {kind}.")
    draft.replace(target)


def weigh(plain: Path, text: Path, target: Path, *, by: Mapping[str, str], run: Run) -> None:
    """Write which weights are important when a model reads a text, whole or not at all. Raises as `quantise`.

    By llama.cpp's own `llama-imatrix`. Special tokens in the text are read as such.
    """
    if not (program := by.get("importance")):
        raise PaddockError("There is no llama-imatrix here. `paddock engine install --from-source` makes one.")
    draft = draft_of(target, ".draft.gguf")
    words = [program, "-m", str(plain), "-f", str(text), "-o", str(draft), "--parse-special", "--no-ppl"]
    must(run([*words, "-c", str(_WEIGHED_TOKENS)]), "llama-imatrix could not measure what is important")
    if not draft.is_file():
        raise PaddockError(f"llama-imatrix measured nothing: the rows have fewer than {_WEIGHED_TOKENS} tokens.")
    draft.replace(target)


def used(by: Mapping[str, str]) -> str:
    """What quantises, in words."""
    return by.get("program") or ("ggml_quantize_chunk of the embedded engine" if by else "none")


class _Quantiser:
    """The function of the engine's library. Raises PaddockError where it is not there."""

    def __init__(self, library: str) -> None:
        try:
            self._function = ctypes.CDLL(library).ggml_quantize_chunk
        except (OSError, AttributeError) as error:
            raise PaddockError(f"The embedded engine's library quantises no more: {error}") from error
        whole = ctypes.c_int64
        self._function.restype = ctypes.c_size_t
        self._function.argtypes = [
            ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, whole, whole, whole, ctypes.c_void_p
        ]  # fmt: skip

    def __call__(self, numbers: Any, kind: Any) -> Any:
        """Rows of 32-bit numbers, of shape (rows, width), as rows of bytes."""
        rows, width = numbers.shape
        block, block_bytes = gguf.GGML_QUANT_SIZES[kind]
        made = np.empty((rows, width // block * block_bytes), np.uint8)
        step = max(1, _PIECE // width)
        for first in range(0, rows, step):
            piece = np.ascontiguousarray(numbers[first : first + step], np.float32)
            out = np.empty((len(piece), made.shape[1]), np.uint8)
            told = self._function(int(kind), piece.ctypes.data, out.ctypes.data, 0, len(piece), width, None)
            if told != out.nbytes:
                raise PaddockError(f"The engine's library wrote {told} bytes of {kind.name} for {out.nbytes}.")
            made[first : first + step] = out
        return made


def _write(plain: Path, draft: Path, kind: str, quantiser: _Quantiser) -> None:
    opened = Opened(plain)
    wanted = gguf.GGMLQuantizationType[kind]
    writer = opened.begun(draft, without=_OWN)
    writer.add_file_type(int(_FILE_TYPES[kind]))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    chosen = [(tensor, _kind_of(tensor, wanted)) for tensor in opened.tensors]
    for tensor, to in chosen:
        shape = tuple(int(one) for one in reversed(tensor.shape))
        if to is None:
            data = tensor.data
            writer.add_tensor_info(tensor.name, data.shape, data.dtype, data.nbytes, tensor.tensor_type)
        else:
            block, block_bytes = gguf.GGML_QUANT_SIZES[to]
            rows = (*shape[:-1], shape[-1] // block * block_bytes)
            writer.add_tensor_info(tensor.name, rows, np.dtype(np.uint8), int(np.prod(rows)), to)
    begin(writer)
    for tensor, to in chosen:
        writer.write_tensor_data(tensor.data if to is None else _quantised(tensor, to, quantiser))
    writer.close()


def _quantised(tensor: Any, to: Any, quantiser: _Quantiser) -> Any:
    width = int(tensor.shape[0])
    numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(-1, width)
    rows = quantiser(numbers, to)
    return rows.reshape(*(int(one) for one in reversed(tensor.shape[1:])), rows.shape[-1])


def _kind_of(tensor: Any, wanted: Any) -> Any:
    """The type a tensor gets; None leaves it as it is."""
    is_matrix = len(tensor.shape) > 1 and tensor.name.endswith(".weight")
    if not is_matrix or any(word in tensor.name for word in _AS_THEY_ARE):
        return None
    width = int(tensor.shape[0])
    for kind in (wanted, _FALLBACK):
        if width % gguf.GGML_QUANT_SIZES[kind][0] == 0:
            return kind
    return None
