"""Owns reading files of rows: JSON lines, JSON and CSV, row by row; refuses to know what the rows mean."""

from __future__ import annotations

import csv
from collections.abc import Callable, Generator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

from paddock.data.json_text import parsed
from paddock.errors import FieldInvalid
from paddock.paths import kind_of, typed

# What is shipped, to try a training with.
EXAMPLES = {"llama-keeper": Path(__file__).parent / "examples" / "llama-keeper.jsonl"}
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv")
# A file of one JSON value is read at once.
_JSON_MOST_BYTES = 2 * 2**30
# A line of JSON, or a cell of a table, that is longer is none.
LINE_MOST_CHARACTERS = 2**24
Form = TypeVar("Form")


def rows_in(name: str, form: Callable[[object, str], Form]) -> list[Form]:
    """Every row of a file, or of an example by its name; `form` makes one of what the file holds at a place.

    Raises FieldInvalid, which names the file, the row and what is wrong.
    """
    path = place_of(name)
    found = list(_rows(path, form))
    if not found:
        raise FieldInvalid(f"{path.name} has no rows.", param="data")
    return found


def first_rows(name: str, most: int, form: Callable[[object, str], Form]) -> list[Form]:
    """The first rows of a file. Raises as `rows_in`."""
    return list(islice(each_row(name, form), most))


def each_row(name: str, form: Callable[[object, str], Form]) -> Generator[Form]:
    """The rows of a file one after the other, none of which is kept. Raises as `rows_in`."""
    return _rows(place_of(name), form)


def folder_of(name: str) -> Path:
    """Where a file of rows lies, and what its rows name beside it. Raises as `rows_in`."""
    return place_of(name).parent


def place_of(name: str) -> Path:
    """Where the rows of that name lie, be they there or not. Raises FieldInvalid."""
    if found := EXAMPLES.get(name):
        return found
    return typed(name, "data")


def _rows(path: Path, form: Callable[[object, str], Form]) -> Generator[Form]:
    for number, raw in enumerate(_raw(path), 1):
        yield form(raw, f"Row {number} of {path.name}")


def _raw(path: Path) -> Generator[Any]:
    if kind := kind_of(path):
        raise FieldInvalid(f"{path} is {kind}, not a file of rows.", param="data")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise FieldInvalid(f"{path.name} is of no known kind. Known: {', '.join(SUFFIXES)}.", param="data")
    try:
        if suffix in (".jsonl", ".ndjson"):
            yield from _lines(path)
        elif suffix == ".csv":
            yield from _table(path)
        else:
            yield from _whole(path)
    except FileNotFoundError as error:
        raise FieldInvalid(
            f"There is no file {path} where paddock runs. Name one that is, or an example: {', '.join(EXAMPLES)}.",
            param="data",
        ) from error
    except UnicodeDecodeError as error:
        raise FieldInvalid(f"{path.name} is no UTF-8 text (byte {error.start}).", param="data") from error
    except OSError as error:
        raise FieldInvalid(f"{path.name} cannot be read: {error.strerror}.", param="data") from error


def _lines(path: Path) -> Generator[Any]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(iter(lambda: file.readline(LINE_MOST_CHARACTERS + 1), ""), 1):
            if len(line) > LINE_MOST_CHARACTERS:
                raise FieldInvalid(
                    f"Line {number} of {path.name} is longer than {LINE_MOST_CHARACTERS} characters. A row has a line.",
                    param="data",
                )
            if line.strip():
                try:
                    yield parsed(line)
                except ValueError as error:
                    raise FieldInvalid(f"Line {number} of {path.name} is no JSON: {error}.", param="data") from error


def _whole(path: Path) -> Generator[Any]:
    if path.stat().st_size > _JSON_MOST_BYTES:
        raise FieldInvalid(f"{path.name} is too large for JSON. Write its rows as JSON lines (.jsonl).", param="data")
    try:
        said: object = parsed(path.read_text("utf-8-sig"))
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise FieldInvalid(f"{path.name} is no JSON: {error}.", param="data") from error
    if not isinstance(said, list):
        raise FieldInvalid(f"{path.name} is no list of rows.", param="data")
    yield from cast("list[object]", said)


def _table(path: Path) -> Generator[Any]:
    csv.field_size_limit(LINE_MOST_CHARACTERS)
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from csv.DictReader(file)
        except csv.Error as error:
            raise FieldInvalid(f"{path.name} is no table: {error}.", param="data") from error
