"""Owns one SQL query over the files of a workspace: a program of its own, which knows DuckDB and nothing of paddock.

It is run within walls. Its one argument is JSON: `query`, and how many `rows` are told at most. Each file of data is a
table by its own name; a file may also be named by its path, as DuckDB lets one.
"""

from __future__ import annotations

import json
import os
import re
import sys

import duckdb

# What reads a file, by how its name ends.
_READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
    ".parquet": "read_parquet",
}
_TABLES_MOST = 200
_CELL_CHARACTERS = 300
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "1GB",
    # Neither is what can be fetched here, and none should be tried.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def main(order: str) -> int:
    """Carry out a query in the present folder, and print what came of it; 0 where it went well."""
    asked = json.loads(order)
    tables = found()
    try:
        _say(answered(asked["query"], asked["rows"], tables))
    except duckdb.Error as error:
        names = ", ".join(f"{name} ({path})" for name, path in tables.items())
        _say(f"{error}\n\nTables: {names or 'none, as no file of data is in the workspace'}.")
        return 1
    return 0


def found() -> dict[str, str]:
    """The files of data in the present folder and below, by the names of their tables."""
    tables: dict[str, str] = {}
    for folder, folders, names in os.walk("."):
        folders.sort()
        for name in sorted(names):
            stem, ending = os.path.splitext(name)
            if ending.lower() in _READERS and len(tables) < _TABLES_MOST:
                path = os.path.relpath(os.path.join(folder, name))
                wanted = (_word(stem), _word(name), _word(path))
                free = next((one for one in wanted if one.lower() not in map(str.lower, tables)), None)
                tables |= {free: path} if free else {}
    return tables


def answered(query: str, rows_most: int, tables: dict[str, str]) -> str:
    """The rows of a query, a line each after one with the names of the columns. Raises duckdb.Error."""
    connection = duckdb.connect(config=_SETTINGS)
    for name, path in tables.items():
        # Looking a file over takes a while: only those that are asked of.
        if name.lower() in query.lower():
            reader = _READERS[os.path.splitext(path)[1].lower()]
            getattr(connection, reader)(path).create_view(name)
    connection.execute(query)
    columns = connection.description or ()
    if not columns:
        return "Done."
    rows = connection.fetchmany(rows_most + 1)
    lines = [" | ".join(_cell(column[0]) for column in columns)]
    lines += [" | ".join(map(_cell, row)) for row in rows[:rows_most]]
    if len(rows) > rows_most:
        lines.append(f"[the first {rows_most} rows; there are more]")
    return "\n".join(lines)


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


def _word(name: str) -> str:
    """A name that SQL takes without quotes."""
    word = re.sub(r"\W+", "_", name).strip("_") or "data"
    return f"t_{word}" if word[0].isdigit() else word


def _cell(value: object) -> str:
    said = "" if value is None else re.sub(r"\s+", " ", str(value))
    return said if len(said) <= _CELL_CHARACTERS else f"{said[:_CELL_CHARACTERS]}…"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
