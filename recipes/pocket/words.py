"""Owns the words and values of pocket's training data: what an argument can look like; knows nothing of tools.

Every function draws from the `random.Random` it is given, so a seed decides all. Values for the held-out evaluation
come from words that training never uses (`held=True`).
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from pathlib import Path

from recipes.pocket.lists import LISTS

Source = random.Random
Value = str | int | float | bool

SYLLABLES, ENDINGS = LISTS["syllables"], LISTS["endings"]
_ALL_WORDS = tuple(Path(__file__).with_name("words.txt").read_text("utf-8").split())

CITIES, HELD_CITIES = LISTS["cities"], LISTS["held_cities"]
PEOPLE, HELD_PEOPLE = LISTS["people"], LISTS["held_people"]
LANGUAGES, HELD_LANGUAGES = LISTS["languages"], LISTS["held_languages"]
ENDS, DAYS, MONTHS, QUANTISATIONS = LISTS["file_ends"], LISTS["days"], LISTS["months"], LISTS["quantisations"]

HELD_MONTHS = tuple(month for month in MONTHS if month in LISTS["held_months"])


def is_held(word: str) -> bool:
    """Whether a word is kept for the evaluation: one in eight, decided by its checksum."""
    return zlib.crc32(word.encode()) % 8 == 0


WORDS = tuple(word for word in _ALL_WORDS if not is_held(word) and word not in LISTS["joints"])
HELD_WORDS = tuple(word for word in _ALL_WORDS if is_held(word))


def syllables(source: Source, count: int | None = None) -> str:
    """An invented word of `count` syllables (by chance 1 to 3)."""
    return "".join(source.choice(SYLLABLES) for _ in range(count or source.choice((1, 2, 2, 3)))) + source.choice(
        ENDINGS
    )


def letters(source: Source) -> str:
    """A word of letters without any order, such as `xqvt`."""
    return "".join(source.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(source.randint(2, 6)))


def word(source: Source, held: bool) -> str:
    """A real word, an invented one, or now and then bare letters."""
    chance = source.random()
    if chance < 0.55:
        return source.choice(HELD_WORDS if held else WORDS)
    if not held and chance < 0.72:
        return mixed(source)
    return syllables(source) if chance < 0.94 else letters(source)


def mixed(source: Source) -> str:
    """The beginning of one real word and the end of another: pieces in an order that no word has."""
    one, two = source.choice(WORDS), source.choice(WORDS)
    return one[: source.randint(1, 5)] + two[-source.randint(1, 5) :]


def strewn(source: Source, form: str) -> str:
    """A phrasing with a word by chance for each `{w}`."""
    while "{w}" in form:
        form = form.replace("{w}", source.choice(WORDS), 1)
    return form


def text(source: Source, held: bool, most: int = 5) -> str:
    """One to `most` words."""
    made = " ".join(word(source, held) for _ in range(source.randint(1, most)))
    return made if source.random() < 0.7 else made.capitalize()


def integer(source: Source, held: bool) -> int:
    """A whole number of one to five digits."""
    return source.choice(
        (source.randint(1, 20), source.randint(1, 20), source.randint(10, 999), source.randint(1000, 99999))
    )


def number(source: Source, held: bool) -> int | float:
    """A whole number or one with one or two decimals."""
    return source.choice(
        (
            integer(source, held),
            round(source.uniform(0, 100), 1),
            round(source.uniform(0, 10), 2),
            -source.randint(1, 50),
        )
    )


def boolean(source: Source, held: bool) -> bool:
    """True or false."""
    return source.random() < 0.5


def city(source: Source, held: bool) -> str:
    """A city's name, real or invented."""
    if source.random() < 0.45:
        return source.choice(HELD_CITIES if held else CITIES)
    return syllables(source, source.choice((2, 3))).capitalize()


def person(source: Source, held: bool) -> str:
    """A first name, often with a last one."""
    first = (
        source.choice(HELD_PEOPLE if held else PEOPLE) if source.random() < 0.5 else syllables(source, 2).capitalize()
    )
    return first if source.random() < 0.65 else f"{first} {syllables(source, 2).capitalize()}"


def path(source: Source, held: bool) -> str:
    """A file's name, half of the time with folders before it."""
    one, two = word(source, held), word(source, held)
    name = (
        source.choice((one, f"{one}_{two}", f"{one}-{two}", f"{one}{source.randint(1, 99)}"))
        + "."
        + source.choice(ENDS)
    )
    folders = ("/tmp/", f"/home/{syllables(source)}/", "src/", "data/", "./", "docs/", "/var/log/", f"{two}/")
    return name if source.random() < 0.5 else source.choice(folders) + name


def folder(source: Source, held: bool) -> str:
    """A folder's name."""
    one, two = word(source, held), word(source, held)
    return source.choice((f"/{one}/{two}", f"{one}/", f"./{one}", f"/home/{one}", f"{one}/{two}", f"/var/{one}"))


def command(source: Source, held: bool) -> str:
    """A short shell command."""
    one = word(source, held)
    return source.choice(
        (
            f"ls {source.choice(('-la', '-l', one + '/'))}",
            f"cat {path(source, held)}",
            f"git {source.choice(('status', 'pull', 'log', 'push', 'checkout ' + one))}",
            f"echo {one}",
            f"python {path(source, held)}",
            f"grep {one} {path(source, held)}",
            f"mkdir {one}",
            f"pip install {syllables(source)}",
            "df -h",
            "whoami",
            "pwd",
            f"make {one}",
            f"head -n {source.randint(1, 50)} {path(source, held)}",
        )
    )


def address(source: Source, held: bool) -> str:
    """A web address."""
    end = source.choice(("", f"/{word(source, held)}", f"/{word(source, held)}/{source.randint(1, 99)}"))
    return (
        f"https://{source.choice(('', 'www.'))}{syllables(source, 2)}.{source.choice(('com', 'org', 'io', 'net'))}{end}"
    )


def email(source: Source, held: bool) -> str:
    """A mail address."""
    middle = source.choice(("", f".{syllables(source, 2)}", str(source.randint(1, 99))))
    return f"{syllables(source, 2)}{middle}@{syllables(source, 2)}.{source.choice(('com', 'org', 'net'))}"


def date(source: Source, held: bool) -> str:
    """A date as numbers, as month and day, or a day's name."""
    iso = f"20{source.randint(20, 35)}-{source.randint(1, 12):02d}-{source.randint(1, 28):02d}"
    month = source.choice(HELD_MONTHS if held else MONTHS)
    return source.choice((iso, source.choice(DAYS), f"{month} {source.randint(1, 30)}"))


def clock(source: Source, held: bool) -> str:
    """A time of day such as 14:30."""
    return f"{source.randint(0, 23)}:{source.choice((0, 15, 30, 45)):02d}"


def model(source: Source, held: bool) -> str:
    """A language model's name."""
    name = syllables(source, 2)
    size = source.choice((1, 2, 3, 4, 7, 8, 9, 13, 14, 30, 70))
    known = source.choice(("Mistral", "Phi") if held else ("Llama", "Qwen", "Gemma", "pocket"))
    return source.choice(
        (
            name,
            f"{name}-{size}b",
            f"{name}-{syllables(source, 2)}",
            f"{syllables(source, 2)}/{name}-{size}b",
            f"{known}-{size}",
        )
    )


def dataset(source: Source, held: bool) -> str:
    """A data set's name."""
    return source.choice((path, lambda s, h: f"{word(s, h)}_{word(s, h)}", word))(source, held)


def code(source: Source, held: bool) -> str:
    """An identifier such as KX-204."""
    pair = "".join(source.choice("ABCDEFGHKLMNPRSTX") for _ in range(2))
    return source.choice(
        (
            f"{pair}-{source.randint(10, 9999)}",
            f"{syllables(source)}-{source.randint(1, 99)}",
            f"{pair}{source.randint(1, 99)}",
        )
    )


def symbol(source: Source, held: bool) -> str:
    """Three or four capitals."""
    return "".join(source.choice("ABCDEFGHIKLMNOPRSTUVX") for _ in range(source.choice((3, 4))))


def language(source: Source, held: bool) -> str:
    """A language's name."""
    return source.choice(HELD_LANGUAGES if held else LANGUAGES)


def expression(source: Source, held: bool) -> str:
    """Sums such as `12 * 7`."""
    made = f"{integer(source, held)} {source.choice('+-*/')} {integer(source, held)}"
    return made if source.random() < 0.6 else f"{made} {source.choice('+-*/')} {source.randint(1, 20)}"


def snippet(source: Source, held: bool) -> str:
    """A short piece of Python."""
    one, two, first, second = word(source, held), word(source, held), integer(source, held), integer(source, held)
    return source.choice(
        (
            f"print({first} {source.choice('+-*/')} {second})",
            f"print('{one}')",
            f"len('{one}')",
            f"{one} = {first}",
            f"sum([{first}, {second}])",
            f"{first} ** {source.randint(2, 9)}",
            f"import {one}",
            f"[n for n in range({first})]",
            f"max({first}, {second})",
            f"'{one}'.upper()",
            f"'{one} {two}'.split()",
            f"{one}({first})",
            f"for n in range({first}): print(n)",
            f"sorted([{first}, {second}])",
            f"round({first} / {second})",
        )
    )


def sql(source: Source, held: bool) -> str:
    """A short SQL query."""
    one, two, count = word(source, held), word(source, held), integer(source, held)
    return source.choice(
        (
            f"SELECT * FROM {one}",
            f"select * from {one} where {two} = {count}",
            f"SELECT {two} FROM {one} LIMIT {count}",
            f"select count(*) from {one}",
            f"SELECT {two} FROM {one} WHERE {two} > {count}",
            f"select {two} from {one} order by {two}",
            f"SELECT max({two}) FROM {one}",
        )
    )


def unit(source: Source, held: bool) -> str:
    """A unit's name."""
    return source.choice(LISTS["units"])


def quantisation(source: Source, held: bool) -> str:
    """A quantisation's name."""
    return source.choice(QUANTISATIONS)


Maker = Callable[[Source, bool], Value]
KINDS: dict[str, Maker] = {
    "text": text,
    "query": lambda source, held: text(source, held, 4),
    "word": word,
    "integer": integer,
    "number": number,
    "boolean": boolean,
    "city": city,
    "person": person,
    "path": path,
    "folder": folder,
    "command": command,
    "address": address,
    "email": email,
    "date": date,
    "clock": clock,
    "model": model,
    "dataset": dataset,
    "code": code,
    "symbol": symbol,
    "language": language,
    "expression": expression,
    "quantisation": quantisation,
    "snippet": snippet,
    "sql": sql,
    "unit": unit,
}
TYPES = {"integer": "integer", "number": "number", "boolean": "boolean"}
"""The JSON type of a kind; every other kind is a string."""
