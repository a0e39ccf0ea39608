"""Owns bringing the tools of a Responses request into chat form, and the names of its calls back. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.protocol.shape import as_array, as_object

_CUSTOM = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a chat function was in the request: its kind, its name, and the namespace it stood in."""

    kind: Literal["function", "custom"]
    name: str
    namespace: str | None = None


@dataclass(kw_only=True)
class ToolMap:
    """The tools in chat form, and where each came from, by its name in the chat body."""

    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    origins: dict[str, Origin] = field(default_factory=dict[str, Origin])

    def add(self, origin: Origin, tool: dict[str, Any], where: str) -> None:
        """One tool under a name of its own. Raises FieldInvalid where that is taken."""
        flat = self.flat(origin.name, origin.namespace)
        if flat in self.origins:
            raise FieldInvalid(f"{where}: the name {shown(flat)} is there twice.", param=where)
        self.origins[flat] = origin
        function: dict[str, Any] = {"name": flat}
        if isinstance(tool.get("description"), str):
            function["description"] = tool["description"]
        is_custom = origin.kind == "custom"
        schema = _CUSTOM if is_custom else as_object(tool.get("parameters"))
        function["parameters"] = {"type": "object", "properties": {}} if schema is None else schema
        if isinstance(tool.get("strict"), bool) and not is_custom:
            function["strict"] = tool["strict"]
        self.tools.append({"type": "function", "function": function})

    @staticmethod
    def flat(name: str, namespace: str | None) -> str:
        """A tool's name in the chat body."""
        return f"{namespace}__{name}" if namespace else name

    def origin(self, flat: str) -> Origin:
        """Where a called tool came from; a name that nobody gave is a function's."""
        return self.origins.get(flat) or Origin(kind="function", name=flat)


def tools_of(tools: Any, notes: dict[str, None]) -> ToolMap:
    """The tools of a request; those that the service itself would run are left out, and noted.

    Raises:
        FieldInvalid: a tool without a name, or two of one name.
    """
    found = ToolMap()
    for place, tool in enumerate(as_array(tools) or []):
        _add(found, tool, f"tools.{place}", None, notes)
    return found


def _add(found: ToolMap, tool: Any, where: str, namespace: str | None, notes: dict[str, None]) -> None:
    read = as_object(tool) or {}
    kind, name = read.get("type"), read.get("name")
    if kind == "namespace" and isinstance(name, str) and name:
        for place, inner in enumerate(as_array(read.get("tools")) or []):
            _add(found, inner, f"{where}.tools.{place}", name, notes)
        return
    if kind not in ("function", "custom"):
        notes[f"tools: {str(kind)[:40]} left out, paddock does not run it"] = None
        return
    inner = as_object(read.get("function"))
    if kind == "function" and inner is not None and not isinstance(name, str):
        # The chat form, which clients of both lanes send by mistake.
        read, name = inner, inner.get("name")
    if not isinstance(name, str) or not name:
        raise FieldInvalid(f"{where}.name: must be a name.", param=f"{where}.name")
    if kind == "custom" and as_object(read.get("format")) and read["format"].get("type") != "text":
        notes[f"tools: the grammar of {name[:40]} is not enforced"] = None
    found.add(Origin(kind="custom" if kind == "custom" else "function", name=name, namespace=namespace), read, where)


def tool_choice_of(choice: Any, tools: ToolMap, notes: dict[str, None]) -> Any:
    """The choice in chat form. Raises BadRequest for a form that is none."""
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    read = as_object(choice) or {}
    kind = read.get("type")
    if kind in ("function", "custom"):
        return {"type": "function", "function": {"name": tools.flat(str(read.get("name")), read.get("namespace"))}}
    if kind == "allowed_tools":
        names = [
            {"type": "function", "function": {"name": tools.flat(str(one.get("name")), one.get("namespace"))}}
            for one in (as_object(entry) or {} for entry in as_array(read.get("tools")) or [])
        ]
        allowed = {"mode": read.get("mode", "auto"), "tools": names}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    if isinstance(kind, str):
        notes[f"tool_choice: {kind[:40]} is not run by paddock; auto"] = None
        return "auto"
    raise BadRequest(f"tool_choice {shown(choice)} is not supported.", param="tool_choice")
