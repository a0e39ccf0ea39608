"""Owns the step from trained weights to the GGUF file that paddock ships: Q8_0, name, licence and sampling in the file.

python -m recipes.pocket.export MODEL_FOLDER TARGET.gguf [--folder FOLDER]

FOLDER gets the same weights in Transformers form and bfloat16, to train on from.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import gguf
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tools.pocket.bundle import METADATA

CONVERSION = Path(__file__).parents[2] / "src" / "paddock" / "models" / "conversion.py"


def main() -> None:
    """Convert and write the metadata."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.gguf"
        command = [sys.executable, str(CONVERSION), "model", str(options.model), str(plain), "--outtype", "q8_0"]
        subprocess.run(command, check=True)
        options.target.parent.mkdir(parents=True, exist_ok=True)
        describe(gguf.GGUFReader(plain), options.target)
    if options.folder:
        AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.bfloat16).save_pretrained(options.folder)
        AutoTokenizer.from_pretrained(options.model).save_pretrained(options.folder)


def describe(source: Any, target: Path) -> None:
    """The same tensors under pocket's metadata."""
    writer: Any = gguf.GGUFWriter(target, source.fields["general.architecture"].contents())
    for name, (value, kind) in METADATA.items():
        writer.add_key_value(name, value, kind)
    for name, field in source.fields.items():
        if name in METADATA or name == "general.architecture" or name.startswith("GGUF."):
            continue
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=field.types[-1])
        else:
            writer.add_key_value(name, field.contents(), field.types[0])
    for tensor in source.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
