"""Owns bringing the tools of a Responses request into chat form, and the names of its calls back. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from paddock.errors import BadRequest, FieldInvalid, shown
from paddock.protocol.shape import as_array, as_object, objects_in

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
    _flat: dict[tuple[str | None, str], str] = field(default_factory=dict[tuple[str | None, str], str])

    def add(self, origin: Origin, tool: dict[str, Any], where: str) -> None:
        """One tool under a name of its own. Raises FieldInvalid where its namespace has that name already."""
        if (origin.namespace, origin.name) in self._flat:
            raise FieldInvalid(f"{where}: the name {shown(origin.name)} is there twice.", param=where)
        flat = wanted = _joined(origin.namespace, origin.name)
        number = 2
        while flat in self.origins:
            flat, number = f"{wanted}_{number}", number + 1
        self.origins[flat] = origin
        self._flat[origin.namespace, origin.name] = flat
        function: dict[str, Any] = {"name": flat}
        is_custom = origin.kind == "custom"
        if described := _described(tool, is_custom=is_custom):
            function["description"] = described
        schema = _CUSTOM if is_custom else as_object(tool.get("parameters"))
        function["parameters"] = {"type": "object", "properties": {}} if schema is None else schema
        if isinstance(tool.get("strict"), bool) and not is_custom:
            function["strict"] = tool["strict"]
        self.tools.append({"type": "function", "function": function})

    def flat(self, name: str, namespace: str | None) -> str:
        """A tool's name in the chat body; a bare name may also mean the only tool of that name in a namespace."""
        if known := self._flat.get((namespace, name)):
            return known
        if namespace is None:
            same = [flat for (_, bare), flat in self._flat.items() if bare == name]
            return same[0] if len(same) == 1 else name
        return _joined(namespace, name)

    def origin(self, flat: str) -> Origin:
        """Where a called tool came from; a model may leave its namespace out. An unknown name is a function's."""
        return self.origins.get(flat) or self.origins.get(self.flat(flat, None)) or Origin(kind="function", name=flat)


def _joined(namespace: str | None, name: str) -> str:
    if not namespace:
        return name
    return namespace + name if namespace.endswith("__") else f"{namespace}__{name}"


def _described(tool: dict[str, Any], *, is_custom: bool) -> str:
    """The description; that of a custom tool ends with its grammar, which is told rather than enforced."""
    described = tool["description"] if isinstance(tool.get("description"), str) else ""
    form = _grammar_of(tool) if is_custom else None
    if form is None:
        return described
    told = f"The input must follow this {form.get('syntax', 'lark')} grammar:\n{form.get('definition', '')}"
    return f"{described}\n\n{told}" if described else told


def _grammar_of(tool: dict[str, Any]) -> dict[str, Any] | None:
    """A custom tool's grammar, written flat as in Responses or nested as in chat."""
    form = as_object(tool.get("format"))
    if form is None or form.get("type") != "grammar":
        return None
    return as_object(form.get("grammar")) or form


def tools_of(tools: Any, notes: dict[str, None], *, found: ToolMap | None = None, where: str = "tools") -> ToolMap:
    """The tools of a request, added to those `found` already; those that paddock does not run are left out, and noted.

    Raises:
        FieldInvalid: a tool that is no object, one without a name, or two of one name.
    """
    found = ToolMap() if found is None else found
    for place, tool in enumerate(as_array(tools) or []):
        _add(found, tool, f"{where}.{place}", None, notes)
    return found


def _add(found: ToolMap, tool: Any, where: str, namespace: str | None, notes: dict[str, None]) -> None:
    read = as_object(tool)
    if read is None:
        raise FieldInvalid(f"{where}: must be a tool, an object with a 'type'.", param=where)
    kind, name = read.get("type"), read.get("name")
    if kind == "namespace" and isinstance(name, str) and name:
        for place, inner in enumerate(as_array(read.get("tools")) or []):
            _add(found, inner, f"{where}.tools.{place}", name, notes)
        return
    if kind not in ("function", "custom"):
        notes[f"tools: {str(kind)[:40]} left out, paddock does not run it"] = None
        return
    nested = as_object(read.get(kind))
    if nested is not None and not isinstance(name, str):
        # The chat form, which clients of both lanes send by mistake.
        read, name = nested, nested.get("name")
    if not isinstance(name, str) or not name:
        raise FieldInvalid(f"{where}.name: must be a name.", param=f"{where}.name")
    if kind == "custom" and _grammar_of(read) is not None:
        notes[f"tools: the grammar of {name[:40]} is told to the model, not enforced"] = None
    found.add(Origin(kind="custom" if kind == "custom" else "function", name=name, namespace=namespace), read, where)


def tool_choice_of(choice: Any, tools: ToolMap, notes: dict[str, None]) -> Any:
    """The choice in chat form. Raises BadRequest for a form that is none."""
    if choice is None or choice in ("auto", "none", "required"):
        return choice
    read = as_object(choice) or {}
    kind = read.get("type")
    if kind in ("function", "custom"):
        return _one(read, tools)
    if kind == "allowed_tools":
        read = as_object(read.get("allowed_tools")) or read
        listed = objects_in(read.get("tools"))
        ours = [one for one in listed if one.get("type") in ("function", "custom")]
        for one in listed:
            if one not in ours:
                notes[f"tool_choice: {str(one.get('type'))[:40]} is not run by paddock"] = None
        mode = read.get("mode", "auto")
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [_one(one, tools) for one in ours]}}
    if isinstance(kind, str):
        notes[f"tool_choice: {kind[:40]} is not run by paddock; auto"] = None
        return "auto"
    raise BadRequest(f"tool_choice {shown(choice)} is not supported.", param="tool_choice")


def _one(choice: dict[str, Any], tools: ToolMap) -> dict[str, Any]:
    nested = as_object(choice.get(str(choice.get("type")))) or {}
    name, namespace = choice.get("name") or nested.get("name"), choice.get("namespace")
    if not isinstance(name, str) or not name:
        raise BadRequest("tool_choice: a choice of one tool needs its 'name'.", param="tool_choice.name")
    flat = tools.flat(name, namespace if isinstance(namespace, str) else None)
    return {"type": "function", "function": {"name": flat}}
