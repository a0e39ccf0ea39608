"""Makes models in 4 bits, and compares what paddock makes of them with bitsandbytes' own, by the Python of the stack.

write BASE FOLDER            BASE in NF4 with its scales in 8 bits, into FOLDER
spoil FOLDER MADE HOW        writes over a matrix in MADE what FOLDER's 4 bits stand for without their scales
                             (`scales`), or with scales whose own scales are left out (`nested`)
compare BASE FOLDER SOURCES  writes BASE in 4 bits in several ways, has paddock in SOURCES unpack each, and prints one
                             line of JSON: by way, what was unpacked, which numbers differ, and what else is not right
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from bitsandbytes import functional
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

# By name: how numbers are spaced, whether scales are in 8 bits, the kind of number before, and that bytes are kept as.
WAYS: dict[str, tuple[str, bool, torch.dtype, torch.dtype, str]] = {
    "nf4": ("nf4", True, torch.bfloat16, torch.uint8, "5GB"),
    "shards": ("nf4", True, torch.bfloat16, torch.uint8, "1MB"),
    "plain scales": ("nf4", False, torch.float16, torch.uint8, "5GB"),
    "as bf16": ("nf4", True, torch.float32, torch.bfloat16, "5GB"),
    "fp4": ("fp4", True, torch.bfloat16, torch.uint8, "5GB"),
}


def write(base: str, folder: str, way: str = "nf4") -> None:
    """A model in 4 bits, with its tokenizer."""
    kind, is_nested, dtype, storage, shard = WAYS[way]
    settings = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=is_nested,
        bnb_4bit_compute_dtype=torch.bfloat16, bnb_4bit_quant_storage=storage,
    )  # fmt: skip
    model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, quantization_config=settings)
    model.save_pretrained(folder, max_shard_size=shard)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)


def spoil(folder: str, made: str, how: str) -> None:
    """As if somebody had read the bits of a matrix, and not all that belongs to them."""
    name = "model.layers.2.mlp.up_proj.weight"
    kept, file = load_file(Path(folder) / "model.safetensors"), Path(made) / "model.safetensors"
    state: Any = functional.QuantState.from_dict(
        {one.removeprefix(f"{name}."): kept[one] for one in kept if one.startswith(f"{name}.")}, torch.device("cpu")
    )
    if how == "scales":
        state.absmax, state.state2 = torch.full(state.absmax.shape, 0.05), None
        state.nested = False
    else:
        state.state2.absmax = torch.ones_like(state.state2.absmax)
    made_of: Any = functional.dequantize_4bit(kept[name], state)
    with file.open("r+b") as opened:
        length = int.from_bytes(opened.read(8), "little")
        opened.seek(8 + length + json.loads(opened.read(length))[name]["data_offsets"][0])
        opened.write(made_of.view(torch.uint8).numpy().tobytes())


def compare(base: str, folder: str, sources: str) -> None:
    """Each way."""
    sys.path.insert(0, sources)
    from paddock.export.worker.dequantising import dequantise
    from paddock.export.worker.measuring import unpacked_weights

    found: dict[str, Any] = {}
    for way in WAYS:
        packed, made = Path(folder) / way, Path(folder) / f"{way} made"
        write(base, str(packed), way)
        dequantise(packed, made)
        theirs = {name: one for file in packed.glob("*.safetensors") for name, one in load_file(file).items()}
        ours = {name: one for file in made.glob("*.safetensors") for name, one in load_file(file).items()}
        names = {name.partition(".quant_state.")[0] for name in theirs if ".quant_state." in name}
        differing: list[str] = []
        for name in names:
            parts = {one.removeprefix(f"{name}."): theirs[one] for one in theirs if one.startswith(f"{name}.")}
            state = functional.QuantState.from_dict(dict(parts), torch.device("cpu"))
            meant = functional.dequantize_4bit(theirs[name].view(torch.uint8).reshape(-1, 1), state)
            if ours[name].dtype != meant.dtype or not torch.equal(ours[name], meant):
                differing.append(name)
        beside = [name for name in ours if name not in names and not torch.equal(ours[name], theirs[name])]
        loaded: Any = AutoModelForCausalLM.from_pretrained(made, dtype="auto")
        config: Any = json.loads((made / "config.json").read_text("utf-8"))
        found[way] = {
            "unpacked": len(names), "differing": differing, "beside": beside, "tensors": len(ours),
            "config": "quantization_config" in config, "dtype": str(loaded.dtype),
            "files": len(list(made.glob("*.safetensors"))),
            "figures": unpacked_weights(packed, made),
        }  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    # Its own folder holds modules whose names must hide no library's.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    {"write": write, "spoil": spoil, "compare": compare}[sys.argv[1]](*sys.argv[2:])
