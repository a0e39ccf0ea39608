"""A llama-quantize and a llama-imatrix for tests, of which there may be none here: by its name it is one or the other.

As llama-quantize it writes every matrix in 8 bits, whatever type is asked for; with an importance matrix it says where
that came from, as llama.cpp's does. It needs the Python of the training stack.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np


def quantise(words: list[str]) -> None:
    """`[--imatrix FILE] PLAIN TARGET TYPE`."""
    importance = words[1] if words[0] == "--imatrix" else ""
    plain, target, kind = words[-3:]
    reader: Any = gguf.GGUFReader(plain)
    writer: Any = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for key, field in reader.fields.items():
        if not key.startswith("GGUF.") and key not in ("general.architecture", "general.file_type"):
            first = field.types[0]
            more = {"sub_type": field.types[-1]} if first == gguf.GGUFValueType.ARRAY else {}
            writer.add_key_value(key, field.contents(), first, **more)
    writer.add_file_type(int(gguf.LlamaFileType[f"MOSTLY_{kind}"]))
    if importance:
        assert gguf.GGUFReader(importance).tensors
        writer.add_string("quantize.imatrix.file", importance)
    small = gguf.GGMLQuantizationType.Q8_0
    for one in reader.tensors:
        is_matrix = len(one.shape) > 1 and one.name.endswith(".weight")
        data = gguf.quants.quantize(gguf.quants.dequantize(one.data, one.tensor_type), small) if is_matrix else one.data
        writer.add_tensor(one.name, data, raw_dtype=small if is_matrix else one.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def measure(words: list[str]) -> None:
    """`-m MODEL -f TEXT -o TARGET ...`: every column is as important as the others."""
    said = dict(zip(words[::2], words[1::2], strict=False))
    assert Path(said["-f"]).read_text("utf-8")
    writer: Any = gguf.GGUFWriter(said["-o"], "imatrix")
    for one in gguf.GGUFReader(said["-m"]).tensors:
        if len(one.shape) > 1 and one.name.endswith(".weight"):
            writer.add_tensor(f"{one.name}.in_sum2", np.ones((1, int(one.shape[0])), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    (measure if "imatrix" in sys.argv[1] else quantise)(sys.argv[2:])
