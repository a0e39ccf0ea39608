"""Owns the settings as the API tells and changes them; refuses to act on any of them, and to change what is unsafe."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from paddock import config
from paddock.api.edge import Edge
from paddock.api.faults import mapped
from paddock.config import NAMES, Settings, describe, is_by_hand, shown_value
from paddock.errors import BadRequest, FieldInvalid, HomeUnusable, SettingInvalid, StoreUnusable, shown
from paddock.values import Value

_KINDS: dict[type, str] = {bool: "switch", int: "whole", float: "number", str: "text"}
_TEXT_MOST = 4096
_WHY_BY_HAND = (
    "This opens the machine to others, leads to other programs or lends a secret, so it is changed by hand alone: with "
    "{flag}, {variable}, or in config.toml."
)


_DEED = "Changing settings"


class _Shown:
    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def listed(self, request: Request) -> Response:
        """Every setting, and what the file holds for the next start."""
        return JSONResponse(await self._all(request))

    async def change(self, request: Request) -> Response:
        """Write some settings into the file, for the next start; null takes one out."""
        body = await self._edge.body(request)
        changes = {name: _checked(name, raw) for name, raw in body.items()}
        try:
            await anyio.to_thread.run_sync(config.change_file, self._edge.settings.home, changes)
        except SettingInvalid as error:
            raise BadRequest(error.message) from error
        except HomeUnusable as error:
            if mapped(error) is not error:
                # A full disk, which is told as such wherever it is met.
                raise
            raise StoreUnusable(error.message, told=error.message) from error
        await self._edge.note(request, "settings changed", about=", ".join(sorted(changes)))
        return JSONResponse(await self._all(request))

    async def _all(self, request: Request) -> dict[str, Any]:
        settings, fault, written = self._edge.settings, None, dict[str, Value]()
        try:
            written = await anyio.to_thread.run_sync(config.in_file, settings.home)
        except SettingInvalid as error:
            fault = error.message
        why_not = self._edge.why_not(_DEED)
        return {
            "file": str(settings.home.config_file),
            "can_change": why_not is None,
            "why_not": why_not,
            "fault": fault,
            "settings": [_entry(settings, name, written) for name in NAMES],
        }


def routes(edge: Edge) -> list[Route]:
    """The routes of the settings."""
    own = _Shown(edge)
    return [
        Route("/api/settings", own.listed, methods=["GET"]),
        Route("/api/settings", own.change, methods=["PATCH"]),
    ]


def _checked(name: str, raw: object) -> Value | None:
    """A value as the file may hold it. Raises FieldInvalid."""
    if name not in NAMES:
        raise FieldInvalid(f"{shown(name)} is no setting. `paddock config show` lists them.", param=name)
    if is_by_hand(name):
        raise FieldInvalid(f"{name}: {_why(name)}", param=name)
    if isinstance(raw, str) and (len(raw) > _TEXT_MOST or not raw.isprintable()):
        raise FieldInvalid(f"{name} must be one line of at most {_TEXT_MOST} characters.", param=name)
    try:
        return None if raw is None else config.checked(name, raw, name)
    except SettingInvalid as error:
        raise FieldInvalid(error.message, param=name) from error


def _entry(settings: Settings, name: str, written: dict[str, Value]) -> dict[str, Any]:
    """One setting. `next_value` is what the next start takes, if it is started in the same way."""
    spec = Settings.__dataclass_fields__[name]
    default, value, source = spec.default, getattr(settings, name), settings.sources.get(name, "default")
    choices, is_over_file = spec.metadata["choices"], source in ("flag", "environment")
    return {
        "name": name,
        "help": describe(name),
        "kind": "choice" if choices else _KINDS[type(default)],
        "choices": list(choices) if choices else None,
        "low": spec.metadata["low"],
        "high": spec.metadata["high"],
        "default": default,
        "value": _safe(name, value),
        "source": source,
        "in_file": _safe(name, written.get(name)),
        "next_value": _safe(name, value if is_over_file else written.get(name, default)),
        "flag": f"--{name.replace('_', '-')}",
        "variable": f"PADDOCK_{name.upper()}",
        "is_editable": not is_by_hand(name),
        "why_not": _why(name) if is_by_hand(name) else None,
        "needs_restart": True,
    }


def _safe(name: str, value: Value | None) -> Value | None:
    return None if value is None else shown_value(name, value)


def _why(name: str) -> str:
    flag, variable = f"--{name.replace('_', '-')}", f"PADDOCK_{name.upper()}"
    return _WHY_BY_HAND.format(flag=flag, variable=variable)
