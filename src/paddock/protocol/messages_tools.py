"""Owns bringing the tools of a Messages request, and the choice among them, into chat form. Pure."""

from __future__ import annotations

from typing import Any

from paddock.errors import FieldInvalid
from paddock.protocol.shape import as_array, as_object


def _object(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required}


_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
# Tools whose schema Anthropic's models know by heart and whose calls the client carries out: written down for others.
_KNOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "bash": (
        "Run a command in a persistent shell. Set restart to begin a new one.",
        _object([], command=_TEXT, restart={"type": "boolean"}),
    ),
    "text_editor": (
        "View, create and edit text files.",
        _object(
            ["command", "path"],
            command={"type": "string", "enum": ["view", "create", "str_replace", "insert"]},
            path=_TEXT,
            file_text=_TEXT,
            old_str=_TEXT,
            new_str=_TEXT,
            insert_line=_NUMBER,
            insert_text=_TEXT,
            view_range={"type": "array", "items": _NUMBER},
        ),
    ),
    "memory": (
        "Read and write the files of a memory folder.",
        _object(
            ["command"],
            command={"type": "string", "enum": ["view", "create", "str_replace", "insert", "delete", "rename"]},
            path=_TEXT,
            file_text=_TEXT,
            old_str=_TEXT,
            new_str=_TEXT,
            insert_line=_NUMBER,
            insert_text=_TEXT,
            old_path=_TEXT,
            new_path=_TEXT,
        ),
    ),
}


def tool_choice_of(value: Any) -> Any:
    """A Messages `tool_choice` in chat form; None for what has no meaning there, where the caller takes "auto"."""
    choice = as_object(value) or {}
    kind = choice.get("type")
    if kind == "tool":
        name = choice.get("name")
        return {"type": "function", "function": {"name": name}} if isinstance(name, str) and name else None
    return {"auto": "auto", "any": "required", "none": "none"}.get(kind) if isinstance(kind, str) else None


def tools_of(tools: Any, notes: dict[str, None]) -> list[dict[str, Any]]:
    """The tools as chat functions, in their order; those that Anthropic's servers would run are left out, and noted.

    Raises:
        FieldInvalid: a tool without a name, or a client's own tool without a schema.
    """
    found: list[dict[str, Any]] = []
    for place, tool in enumerate(as_array(tools) or []):
        read = as_object(tool) or {}
        name, kind = read.get("name"), read.get("type")
        if not isinstance(name, str) or not name:
            if isinstance(kind, str) and kind != "custom":
                notes[f"tools: {kind[:40]} left out, paddock does not run it"] = None
                continue
            raise FieldInvalid(f"tools.{place}.name: must be a name.", param=f"tools.{place}.name")
        schema, description = as_object(read.get("input_schema")), read.get("description")
        if schema is None:
            known = _known(str(kind or ""))
            if known is None and kind in (None, "custom"):
                raise FieldInvalid(
                    f"tools.{place}.input_schema: must be a JSON schema of type object.",
                    param=f"tools.{place}.input_schema",
                )
            if known is None:
                notes[f"tools: {name[:40]} ({str(kind)[:40]}) left out, paddock does not run it"] = None
                continue
            description, schema = known
        function: dict[str, Any] = {"name": name}
        if isinstance(description, str):
            function["description"] = description
        found.append({"type": "function", "function": {**function, "parameters": schema}})
    return found


def _known(kind: str) -> tuple[str, dict[str, Any]] | None:
    """What is written down for a kind such as `bash_20250124`."""
    return _KNOWN.get(kind.rsplit("_", 1)[0])
