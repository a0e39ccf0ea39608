"""Owns which sampling a model gets where a request says nothing, and whose word that is; refuses to read requests.

The first that names a number decides: what was set for the model, the model's file, a verified row of its family. The
file's own numbers are not sent, since the engine reads and applies them itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from paddock.models.families import SAMPLING, Family, Numbers, family_of, in_file
from paddock.models.gguf import GgufHeader
from paddock.models.saved import UNSET, ModelSettings

Source = Literal["set", "file", "family"]


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What is known of one model's sampling. `thinks` is whether it thinks where a request says nothing."""

    saved: ModelSettings
    file: Numbers
    family: Family | None
    thinks: bool

    def sources(self, *, thinks: bool) -> dict[str, tuple[float, Source]]:
        """Every number that applies to an answer with or without thinking, and who named it."""
        layers: list[tuple[Source, Mapping[str, Any]]] = [("set", self.saved.given()), ("file", self.file)]
        if self.family and self.family.verified:
            layers.append(("family", self.family.numbers(thinks=thinks)))
        found: dict[str, tuple[float, Source]] = {}
        for source, numbers in reversed(layers):
            found |= {name: (numbers[name], source) for name in SAMPLING if name in numbers}
        return {name: found[name] for name in SAMPLING if name in found}

    @property
    def switches_thinking(self) -> bool | None:
        """What the template is told about thinking where a request says nothing; None leaves it to the template."""
        if self.saved.thinking is not None:
            return self.thinks
        is_switched_off = self.family is not None and self.family.verified and self.family.thinking == "on"
        return False if is_switched_off and not self.thinks else None

    def told(self) -> dict[str, Any]:
        """The advice as `recommended_sampling` shows it."""
        numbers = self.sources(thinks=self.thinks)
        family = self.family
        offered = {} if family is None or family.verified else dict(family.numbers(thinks=self.thinks))
        return {
            "applied": {name: value for name, (value, _) in numbers.items()},
            "sources": {name: source for name, (_, source) in numbers.items()},
            "thinking": self.thinks,
            "family": family and family.name,
            "verified": bool(family and family.verified),
            "source": (family and family.source) or None,
            "offered": offered,
        }


def advise(header: GgufHeader, file_name: str, saved: ModelSettings = UNSET) -> Advice:
    """The advice for a model by its file's header, and by what was set for it."""
    family = family_of(header, file_name)
    thinks = family is not None and family.verified and family.thinks(header.parameter_count)
    if saved.thinking is not None:
        thinks = saved.thinking == "on"
    return Advice(saved=saved, file=in_file(header), family=family, thinks=thinks)
