"""Owns the step from pocket's weights to the file that paddock ships; refuses to change a weight.

    python tools/pocket/bundle.py pocket-v0-Q8_0.gguf src/paddock/models/bundled/pocket-v0-Q8_0.gguf

Tensors are copied byte for byte. The metadata gets the model's name, licence and recommended sampling, the template
beside this script, and a vocabulary in which the two pieces that hold the template's wording say the new wording. The
model knows those pieces by their numbers, which stay, so every prompt is the same tokens as before.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import gguf
from gguf import GGUFValueType as Kind

TEMPLATE = Path(__file__).with_name("chat_template.jinja")

# Pieces of the vocabulary that hold wording of the template, by number.
PIECES = {
    2014: "\n\nTools you may call, one signature a line, stand between <tools> and </tools>:\n<tools>\n",
    2015: "\n</tools>\n\nA call is JSON between these tags, the tool's name and what it is given:\n"
    '<tool_call>\n{"name": "...", "arguments": {...}}\n</tool_call>',
}

METADATA: dict[str, tuple[object, Kind]] = {
    "general.name": ("pocket v0", Kind.STRING),
    "general.basename": ("pocket", Kind.STRING),
    "general.version": ("v0", Kind.STRING),
    "general.author": ("the authors of paddock", Kind.STRING),
    "general.license": ("AGPL-3.0-only", Kind.STRING),
    "general.description": (
        "A very small model that calls tools, made from scratch with program-made data for trying and testing paddock.",
        Kind.STRING,
    ),
    # Without these the engine takes piece 11, a closing bracket, for the beginning of a text.
    "tokenizer.ggml.bos_token_id": (0, Kind.UINT32),
    "tokenizer.ggml.add_bos_token": (False, Kind.BOOL),
    "tokenizer.ggml.add_eos_token": (False, Kind.BOOL),
    # What the engine samples with when a request says nothing: docs/pocket.md has the scores behind it.
    "general.sampling.temp": (0.0, Kind.FLOAT32),
    "general.sampling.top_k": (20, Kind.INT32),
    "general.sampling.top_p": (0.95, Kind.FLOAT32),
    "general.sampling.min_p": (0.1, Kind.FLOAT32),
}


def main() -> None:
    """Write the file that is shipped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    options.target.parent.mkdir(parents=True, exist_ok=True)
    write(gguf.GGUFReader(options.source), options.target)


def write(source: Any, target: Path) -> None:
    """`source`'s tensors under the new metadata, as a new file at `target`."""
    writer = gguf.GGUFWriter(target, source.fields["general.architecture"].contents())
    for name, (value, kind) in METADATA.items():
        writer.add_key_value(name, value, kind)
    writer.add_chat_template(TEMPLATE.read_text("utf-8"))
    ours = {*METADATA, "general.architecture", "tokenizer.chat_template"}
    for name, field in source.fields.items():
        if name in ours or name.startswith("GGUF."):
            continue
        value = field.contents()
        if name == "tokenizer.ggml.tokens":
            value = [PIECES.get(number, piece) for number, piece in enumerate(value)]
        if field.types[0] == Kind.ARRAY:
            writer.add_key_value(name, value, Kind.ARRAY, sub_type=field.types[-1])
        else:
            writer.add_key_value(name, value, field.types[0])
    for tensor in source.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
