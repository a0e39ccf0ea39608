"""Owns changing a configuration text so that all else in it stays, comments too; knows no client and no file.

Each function takes the present text ("" for none) and a change, which amends the tree that the text stands for. The
change is made twice: on the tree that remembers the text, and on what a plain reader makes of the same text. Where what
was written does not read as the latter, or a comment is gone, ValueError is raised and nothing is lost.
"""

from __future__ import annotations

import copy
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, cast

Change = Callable[[Any], None]
_COMMENT = re.compile(r"(?:^|\s)#.*$", re.MULTILINE)


def json_text(text: str, change: Change) -> str:
    """A JSON object after the change. Raises ValueError."""
    tree: object = json.loads(text) if text.strip() else {}
    if not isinstance(tree, dict):
        raise ValueError("it holds no object")
    before = copy.deepcopy(cast("dict[str, Any]", tree))
    change(tree)
    if tree == before:
        return text
    return json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def toml_text(text: str, change: Change) -> str:
    """A TOML document after the change. Raises ValueError."""
    import tomllib

    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    wanted = tomllib.loads(text)
    change(wanted)
    try:
        tree = tomlkit.parse(text)
        change(tree)
        made = tomlkit.dumps(tree)
    except TOMLKitError as error:
        raise ValueError(_first_line(error)) from error
    _check(text, made, tomllib.loads(made) == wanted)
    return made


def yaml_text(text: str, change: Change, *, empty: type[dict[str, Any]] | type[list[Any]]) -> str:
    """A YAML document, which is an `empty` when it holds nothing, after the change. Raises ValueError."""
    import yaml
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.util import load_yaml_guess_indent  # pyright: ignore[reportUnknownVariableType]

    writer: Any = YAML()
    tree: Any
    writer.preserve_quotes, writer.width = True, 4096
    made = io.StringIO()
    try:
        wanted = _apart(yaml.safe_load(text))
        tree, indent, offset = cast("tuple[Any, Any, Any]", load_yaml_guess_indent(text, yaml=writer))
        if wanted is None:
            # What holds nothing may still hold comments, which belong to no tree.
            made.write("".join(f"{line}\n" for line in text.splitlines() if line.strip()))
            wanted, tree = empty(), empty()
        elif not isinstance(wanted, empty):
            raise ValueError(f"it holds no {'mapping' if empty is dict else 'list'}")
        change(wanted)
        change(tree)
        writer.indent(mapping=2, sequence=indent or 2, offset=offset or 0)
        writer.dump(tree, made)
        _check(text, made.getvalue(), yaml.safe_load(made.getvalue()) == wanted)
    except (yaml.YAMLError, YAMLError, RecursionError) as error:
        raise ValueError(_first_line(error)) from error
    return made.getvalue()


def laid(tree: Any, ours: Mapping[str, Any]) -> None:
    """Lay our values into a mapping, mapping by mapping; what has them already is not touched.

    Raises:
        ValueError: something else stands where a mapping of ours belongs.
    """
    for name, value in ours.items():
        if isinstance(value, Mapping):
            if tree.get(name) is None:
                tree[name] = copy.deepcopy(cast("Mapping[str, Any]", value))
            elif isinstance(tree[name], Mapping):
                laid(tree[name], cast("Mapping[str, Any]", value))
            else:
                raise ValueError(f"'{name}' holds something else than named values")
        elif name not in tree or tree[name] != value:
            tree[name] = value


def laid_entry(entries: Any, ours: Mapping[str, Any], by: str) -> None:
    """Lay our values into the entry of a list that has our name, or append one. Raises ValueError."""
    if not isinstance(entries, list):
        raise ValueError("it holds something else where a list belongs")
    for entry in cast("list[Any]", entries):
        if isinstance(entry, Mapping) and cast("Mapping[str, Any]", entry).get(by) == ours[by]:
            laid(entry, ours)
            return
    cast("list[Any]", entries).append(dict(ours))


def _apart(value: Any) -> Any:
    """A tree in which nothing stands in two places, so that a change of one is seen to be a change of one."""
    if isinstance(value, dict):
        return {name: _apart(inner) for name, inner in cast("dict[Any, Any]", value).items()}
    return [_apart(inner) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


def _check(text: str, made: str, is_equal: bool) -> None:
    if not is_equal:
        raise ValueError("its form does not let it be changed without touching what is not ours")
    if lost := _comments(text) - _comments(made):
        raise ValueError(f"the comment '{next(iter(lost))[:60]}' would be lost")


def _comments(text: str) -> Counter[str]:
    return Counter(found.strip() for found in _COMMENT.findall(text))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
