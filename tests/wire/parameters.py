"""Owns which texts each route takes from whoever asks: derived from the routes and their description; judges no answer.

What the description does not tell of a route, bodies and queries of its own reading, stands in `BODIES` and `QUERIES`
here. A route that is described by neither, or a query that is read and told nowhere, fails `test_parameters.py`.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast
from urllib.parse import quote

from paddock.api import page
from paddock.api.edge import Edge
from paddock.api.routes import described
from paddock.config import NAMES as SETTINGS
from paddock.config import Settings
from paddock.models.saved import NAMES as MODEL_SETTINGS
from paddock.training.spec import TrainSpec
from tests.fuzz.seeds import IMAGE, OWN
from tools.describe_api import Nothing

Json = dict[str, Any]
Where = Literal["path", "query", "body", "raw"]
# Method, target and body.
Asked = tuple[str, str, bytes | None]
MODEL = "pocket-v0"
# What stands for what `attacked.py` lays out before an attack.
FILE, BASE, ADAPTER, ROWS, CODE = "<a GGUF file>", "<a base>", "<an adapter>", "<rows>", "<code>"
TRAINING, EXPORT, EVALUATION = "<a training>", "<an export>", "<an evaluation>"
VOTE, SET, OTHER = "<a vote>", "<a set>", "<another model>"
_METHODS = ("get", "post", "put", "patch", "delete")
_TEXTS = {name: "x" for name in SETTINGS if isinstance(Settings.__dataclass_fields__[name].default, str)}
# Every option of a training that is a text, so that a new one is attacked as well.
_OPTIONS: Json = {
    **{one.name: one.default for one in fields(TrainSpec) if isinstance(one.default, str)},
    "base": BASE, "data": ROWS, "eval_data": ROWS, "dry_run": "no",
}  # fmt: skip
_SPECS: list[Json] = [
    {"spec": _OPTIONS},
    {"spec": {"base": BASE, "data": ROWS, "dry_run": "no", "method": "grpo", "rewards": "python", "reward_code": CODE,
              "runs_code": True}},
    {"yaml": f"base: {BASE}\ndata: {ROWS}\ndry_run: 'no'\n"},
]  # fmt: skip
_EXPORT: Json = {
    "source": ADAPTER, "base": BASE, "name": "x", "types": ["Q6_K"], "certifies": False, "importance": ROWS,
}  # fmt: skip
_LOOK: Json = {"role": "user", "content": [
    {"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": IMAGE}},
]}  # fmt: skip
_TOOL: Json = {"type": "function", "function": {"name": "x", "description": "x", "parameters": {"type": "object"}}}
_SETS: list[list[Json]] = [
    [{"messages": [_LOOK], "contains": "x"}],
    [
        {"case": "x", "name": "a", "messages": [{"role": "user", "content": "x"}], "tools": [_TOOL], "silent": True},
        {"name": "b", "prompt": "x", "calls": [{"name": "x", "arguments": {"x": "x"}}]},
        {"name": "c", "prompt": "x", "regex": "x"}, {"name": "d", "prompt": "x", "json": {"x": "x"}},
        {"name": "e", "prompt": "x", "schema": {"type": "object", "properties": {"x": {"pattern": "x"}}}},
        {"name": "f", "prompt": "x", "judge": "x"}, {"name": "g", "prompt": "x", "choices": ["x", "y"], "answer": 0},
        {"name": "h", "prompt": "x", "exact": ["x"]}, {"name": "i", "text": "x"},
    ],
]  # fmt: skip
_KEPT: Json = {"name": "x", "lines": '{"prompt": "x", "regex": "x"}'}
# Bodies that the description tells nothing of. An empty one takes no text.
BODIES: dict[str, list[Json]] = {
    **{f"POST {path}": bodies for path, bodies in OWN.items()},
    "POST /v1/chat/completions/input_tokens": OWN["/v1/chat/completions"],
    "POST /api/embeddings": [{"model": MODEL, "prompt": "x"}],
    "POST /api/copy": [{"source": MODEL, "destination": "x"}],
    "POST /api/create": [{"model": "x", "from": MODEL, "files": {"x.gguf": "sha256:x"}, "adapters": {"x": "sha256:x"},
                          "template": "x", "modelfile": "FROM x", "path": "x", "quantize": "q4_K_M"}],
    "DELETE /api/delete": [{"model": "x"}, {"name": "x"}],
    "POST /api/pull": [{"model": "x"}, {"name": "x", "insecure": True}],
    "POST /api/push": [{"model": "x"}],
    "POST /api/exports/{id}/push": [{"repo": "someone/x", "types": ["F16"], "uncertified": True}],
    "POST /api/exports/{id}/card": [{"repo": "someone/x", "types": ["F16"], "uncertified": True}],
    "POST /api/downloads": [{"model": "org/repo:Q4"}],
    "POST /api/downloads/{id}/cancel": [], "POST /api/downloads/{id}/pause": [], "POST /api/downloads/{id}/resume": [],
    "POST /api/engines/look": [{"tag": "b1", "afresh": False}],
    "POST /api/engines/install": [{"build": "x", "tag": "b1"}],
    "POST /api/engines/use": [{"build": "x"}],
    "POST /api/engines/remove": [{"build": "x"}],
    "POST /api/engines/job/cancel": [],
    "POST /api/models/import": [{"path": "/x"}, {"path": FILE, "name": "imported"}],
    "POST /api/models/{id}/load": [], "POST /api/models/{id}/unload": [], "POST /api/models/{id}/pin": [],
    "POST /api/models/{id}/unpin": [],
    "PUT /api/models/{id}/settings": [{name: "x"} for name in MODEL_SETTINGS],
    "PUT /api/aliases/{pattern}": [{"model": "x"}],
    "POST /mcp": [{"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": {
        "name": "show_job", "arguments": {"kind": "export", "id": "x"}}}],
    "POST /api/mcp": [
        {"name": "x", "command": "x", "args": ["x"], "env": {"X": "x"}, "cwd": "x"},
        {"name": "x", "url": "https://x.invalid/mcp", "headers": {"X": "x"}, "is_private": False},
    ],
    "POST /api/remotes/check": [{"name": "x"}],
    "POST /api/training": [{**one, "name": "x"} for one in _SPECS],
    "POST /api/training/options": _SPECS,
    "POST /api/training/estimate": _SPECS,
    "POST /api/training/{id}/checkpoints/{step}/try": [{"model": MODEL}],
    "POST /api/exports": [_EXPORT], "POST /api/exports/estimate": [_EXPORT],
    "POST /api/evaluations": [
        *({"suite": "set", "model": MODEL, "name": "x", "set": rows, "judge": MODEL} for rows in _SETS),
        {"suite": "vote", "model": MODEL, "against": OTHER, "name": "x", "set": [*_SETS[0], {"prompt": "x"}]},
        {"suite": "set", "model": MODEL, "set_id": SET},
    ],
    "POST /api/evaluations/{id}/ballot": [{"number": 1, "choice": "left"}],
    "POST /api/evaluation-sets": [_KEPT], "PUT /api/evaluation-sets/{id}": [_KEPT],
    "POST /api/evaluation-sets/check": [{"lines": _KEPT["lines"]}],
    "PATCH /api/settings": [{name: text} for name, text in _TEXTS.items()],
    "POST /api/shutdown": [],
    "POST /api/chats/import": [], "POST /api/attachments": [], "PUT /api/tools/file": [],
    "POST /api/knowledge/{id}/documents": [],
    "POST /v1/responses/{id}/cancel": [],
    "POST /v1/audio/speech": [], "POST /v1/audio/transcriptions": [], "POST /v1/audio/translations": [],
    "POST /v1/images/generations": [], "POST /v1/moderations": [],
}  # fmt: skip
# Queries that routes read without telling so in the description.
QUERIES: dict[str, tuple[str, ...]] = {
    "GET /api/hub/search": ("q",),
    "GET /api/hub/fit": ("model", "ctx", "slots", "kv"),
    "GET /api/models/{id}/fit": ("ctx", "slots", "kv"),
    "GET /api/pushes": ("export",),
    "GET /api/engines/job": ("after",),
    "GET /api/downloads/{id}/events": ("after",),
    "GET /api/doctor/clients": ("client", "model", "stream"),
    "GET /api/system": ("stream",),
    "GET /api/system/log": ("level", "after", "limit", "contains"),
    "GET /v1/responses/{id}": ("stream", "starting_after"),
    "GET /v1/responses/{id}/input_items": ("limit", "order", "after"),
}
# What stands in a path beside the text that is attacked; what is told nowhere is "x", or what the test says.
IN_PATHS: dict[str, dict[str, str]] = {
    "/api/training/{id}": {"id": TRAINING, "step": "last"},
    "/api/exports/{id}": {"id": EXPORT, "name": "x-F16.gguf"},
    "/api/evaluations/{id}": {"id": EVALUATION, "other": EVALUATION},
    **{f"/api/evaluations/{{id}}/{way}": {"id": VOTE} for way in ("ballot", "votes", "show")},
    "/api/evaluation-sets/{id}": {"id": SET},
}
# They end paddock, or never end.
APART = ("POST /api/shutdown", "GET /api/chats/events", "GET /api/system/meters", "GET /api/downloads/{id}/events")


@dataclass(frozen=True, kw_only=True)
class Place:
    """One text that somebody who asks can choose: of which operation, and where in it.

    `keys` lead to it within `seed`, the body; for a path or a query the one key is its name.
    """

    operation: str
    where: Where
    keys: tuple[str | int, ...]
    seed: Json = field(default_factory=dict[str, Any], repr=False)

    @property
    def method(self) -> str:
        return self.operation.partition(" ")[0]

    @property
    def path(self) -> str:
        return self.operation.partition(" ")[2]

    def body_with(self, text: str) -> Json:
        """The body with this text in its place."""
        made = copy.deepcopy(self.seed)
        inner: Any = made
        for key in self.keys[:-1]:
            inner = inner[key]
        inner[self.keys[-1]] = text
        return made


def description() -> Json:
    """What paddock says of its routes."""
    return described(cast("Edge", Nothing()))


def places() -> list[Place]:
    """Every text of every operation, and the addresses of the page."""
    told = description()
    found: list[Place] = []
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            if method in _METHODS and f"{method.upper()} {path}" not in APART:
                found += _of(f"{method.upper()} {path}", operation, told)
    # The page's own files, and whatever stands where no route is.
    found += [
        Place(operation=f"GET {route.path}", where="path", keys=("name",))
        for route in page.routes()
        if "{" in route.path
    ]
    return [*found, Place(operation="GET /", where="raw", keys=("path",))]


def _of(name: str, operation: Json, told: Json) -> Iterator[Place]:
    seen = {"path": re.findall(r"{(\w+)", name), "query": list(QUERIES.get(name, ()))}
    seen["query"] += [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
    seeds = BODIES.get(name) or [made for made in [seed_of(operation, told)] if made]
    for where in ("path", "query"):
        for key in dict.fromkeys(seen[where]):
            yield Place(operation=name, where=where, keys=(key,), seed=seeds[0] if seeds else {})
    for seed in seeds:
        yield from (Place(operation=name, where="body", keys=keys, seed=seed) for keys in texts_in(seed))


def texts_in(value: Any, keys: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where texts stand in a body."""
    if isinstance(value, str):
        yield keys
    elif isinstance(value, dict):
        for key, inner in cast("Json", value).items():
            yield from texts_in(inner, (*keys, key))
    elif isinstance(value, list):
        for key, inner in enumerate(cast("list[Any]", value)):
            yield from texts_in(inner, (*keys, key))


def body_schema(operation: Json) -> Json | None:
    """What an operation says of its JSON body; None where it says nothing."""
    schema: Any = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema") or {}
    return cast("Json", schema) if set(schema) & {"$ref", "properties", "anyOf", "allOf"} else None


def seed_of(operation: Json, told: Json) -> Json:
    """A body as the description has it, with every field that may be there; {} where it tells none."""
    schema = body_schema(operation)
    made: Any = _made(schema, told, 0) if schema else None
    return cast("Json", made) if isinstance(made, dict) else {}


def _made(schema: Json, told: Json, depth: int) -> Any:
    if "$ref" in schema:
        schema = told["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    for choice in [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]:
        if choice.get("type") != "null":
            return _made(choice, told, depth)
    kind = schema.get("type")
    if kind == "object":
        inner: Json = schema.get("properties", {}) if depth < 5 else {}
        return {name: _made(one, told, depth + 1) for name, one in inner.items()}
    if kind == "array":
        return [_made(schema.get("items", {}), told, depth + 1)] if depth < 5 else []
    # Where a text has a pattern, it is that of an id.
    text = "x" * 8 if "pattern" in schema else "x"
    return {"string": text, "integer": 1, "number": 1.0, "boolean": False, "null": None}.get(str(kind), "x")


def spellings(place: Place, text: str) -> Iterator[str]:
    """A text as it stands in a path or a query: bare where the line allows it, encoded, and encoded twice."""
    if place.where == "body":
        yield text
        return
    safe = "/.\\:;@$~%-+{}|'`()!*" if place.where in ("path", "raw") else "/.\\:;@$~-{}|'`()!*"
    yield quote(text, safe=safe)
    encoded = "".join(f"%{byte:02X}" for byte in text.encode())
    if len(encoded) < 4000:
        yield encoded
        yield quote(encoded, safe="")


def plain(place: Place, *, seeds: Json, laid: Mapping[str, str] | None = None) -> Asked:
    """The request of which a place is a part, with nothing attacked. `seeds` and `laid` as in `written`."""
    return _asked(place, _values(place, seeds), place.seed, "", laid or {})


def written(place: Place, text: str, *, seeds: Json, laid: Mapping[str, str] | None = None) -> Asked:
    """The request with this text in its place. `seeds` fills what else it needs, `laid` what stands for what lies."""
    if place.where == "raw":
        return "GET", text if text.startswith("/") else f"/{text}", None
    values = {**_values(place, seeds), **({str(place.keys[0]): text} if place.where == "path" else {})}
    query = f"?{place.keys[0]}={text}" if place.where == "query" else ""
    return _asked(place, values, place.body_with(text) if place.where == "body" else place.seed, query, laid or {})


def _values(place: Place, seeds: Json) -> Json:
    values: Json = {**dict.fromkeys(re.findall(r"{(\w+)", place.path), "x"), **seeds}
    for beginning, more in IN_PATHS.items():
        values |= more if place.path.startswith(beginning) else {}
    return values


def _asked(place: Place, values: Json, body: Json, query: str, laid: Mapping[str, str]) -> Asked:
    target = re.sub(r"{(\w+)(?::path)?}", lambda named: str(values[named[1]]), place.path) + query
    content = json.dumps(body) if body or place.method != "GET" else ""
    for name, real in laid.items():
        target, content = target.replace(name, real), content.replace(name, real)
    return place.method, target, content.encode() or None
