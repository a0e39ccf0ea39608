"""Owns what is exported, as Transformers and PEFT hold it; refuses to write anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paddock.errors import PaddockError

# Imported where they are needed: they take seconds, and converting and quantising have no use for them.
if TYPE_CHECKING:
    import torch

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".h5", ".msgpack", ".index.json", ".py")
# Of an adapter's folder, what its training used to read and write texts.
_WORDS = ("tokenizer", "chat_template", "special_tokens", "added_tokens", "vocab", "merges", "spiece")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model, or a base with what was trained on it."""

    base: Path
    adapter: Path | None

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Source:
        """As an order says it."""
        return cls(base=Path(table["base"]), adapter=Path(table["adapter"]) if table["adapter"] else None)

    @property
    def folders(self) -> list[Path]:
        """Where it lies."""
        return [self.base, *([self.adapter] if self.adapter else [])]

    @property
    def needed_adapter(self) -> Path:
        """The folder of what was trained. Raises PaddockError where there is none."""
        if self.adapter is None:
            raise PaddockError(f"{self.base} is a whole model, and has no adapter.")
        return self.adapter

    def over(self, base: Path) -> Source:
        """The same with another base."""
        return replace(self, base=base)

    @property
    def words(self) -> Path:
        """The folder whose tokenizer is meant: what was trained with, else the base's."""
        own = self.adapter and (self.adapter / "tokenizer_config.json").is_file()
        return self.adapter if self.adapter and own else self.base

    def tokenizer(self) -> Any:
        """Its tokenizer. Raises PaddockError."""
        from transformers import AutoTokenizer

        try:
            return AutoTokenizer.from_pretrained(self.words, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise PaddockError(f"{self.words} holds no tokenizer that can be read: {_first(error)}") from error

    def model(self) -> Any:
        """The model in 32 bits, with what was trained beside it and not in it. Raises PaddockError."""
        from peft import PeftModel

        model = loaded(self.base)
        return PeftModel.from_pretrained(model, self.adapter).eval() if self.adapter else model

    def merged(self) -> Any:
        """The model in 32 bits, with what was trained made part of it. Raises PaddockError."""
        model = self.model()
        return model.merge_and_unload(safe_merge=True) if self.adapter else model

    def dtype(self) -> torch.dtype:
        """The kind of number that its weights are kept in: the base's own."""
        import torch

        config: Any = json.loads((self.base / "config.json").read_text("utf-8"))
        # A model that also sees keeps what its language part is in a table of its own.
        inner: Any = config.get("text_config")
        said: Any = config.get("dtype") or config.get("torch_dtype") or (inner and inner.get("dtype"))
        return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(str(said), torch.float32)

    def companions(self) -> dict[str, Path]:
        """The files beside the weights, by their names: as they are, and those of the training over the base's."""
        found = {one.name: one for one in self.base.iterdir() if _is_companion(one)}
        if self.words != self.base:
            own = {one.name: one for one in self.words.iterdir() if _is_companion(one) and one.name.startswith(_WORDS)}
            found = {name: one for name, one in found.items() if not name.startswith(_WORDS)} | own
        return found


def loaded(folder: Path) -> Any:
    """A model in 32 bits; one that is kept in 4 bits computes in 32 with what these stand for. Raises PaddockError."""
    import torch
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise PaddockError(f"{folder} cannot be loaded: {_first(error)}") from error
    for one in model.modules():
        if hasattr(one, "compute_type_is_set"):
            # bitsandbytes computes in the kind of number that the config says; where the processor has bf16, it packs
            # weights anew for that.
            one.compute_dtype, one.compute_type_is_set, one.support_avx512bf16_for_cpu = torch.float32, True, False
    return model.eval()


def _is_companion(path: Path) -> bool:
    is_weight = path.name.endswith(_WEIGHTS) or path.name.startswith(("adapter_", "training_args", "."))
    return path.is_file() and not is_weight and path.name not in ("config.json", "README.md")


def _first(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
