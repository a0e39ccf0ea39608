"""Writes the reference pages that the code itself can tell; knows nothing of the pages that people write.

`python3 dev.py fmt` runs it, and a test fails while a page says something else than the code.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from docs import attempts, coverage
from paddock import errors
from paddock.api.faults import TABLE
from paddock.api.metric_families import FAMILIES
from paddock.config import NAMES, Settings, describe
from paddock.install import support
from paddock.models import saved
from paddock.models.families import families
from paddock.training.spec import METHODS, described
from tests.wire_table import BEYOND, ROWS

REFERENCE = ROOT / "docs" / "reference"
API = ROOT / "docs" / "api.md"
SUPPORT = ROOT / "docs" / "support.md"
OPERATIONS = ROOT / "docs" / "operations.md"
COVERAGE = "<!-- coverage begins -->", "<!-- coverage ends -->"
METRICS = "<!-- metrics begin -->", "<!-- metrics end -->"
HEAD = "<!-- Written by docs/generate.py; `python3 dev.py fmt` writes it anew. -->\n"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(heads), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines) + "\n"


def settings_page() -> str:
    """Every setting with its default, range, environment variable and meaning."""
    rows: list[list[str]] = []
    for name in NAMES:
        spec = Settings.__dataclass_fields__[name]
        low, high = spec.metadata["low"], spec.metadata["high"]
        extent = "" if low is None else f"{low:,} to {high:,}"
        rows.append([f"`{name}`", f"`PADDOCK_{name.upper()}`", f"`{json.dumps(spec.default)}`", extent, describe(name)])
    return (
        f"{HEAD}\n# Settings\n\n"
        "A setting is taken from the first of: the command line, the environment, `config.toml` in the data home, its "
        "default. `paddock config show` prints each value and where it came from. `PADDOCK_HOME` moves the data home "
        "itself.\n\n" + table(("name", "environment", "default", "range", "meaning"), rows)
    )


def meaning(cls: type[errors.PaddockError]) -> str:
    """The first paragraph of a class's docstring, on one line."""
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())


def subclasses(cls: type[errors.PaddockError]) -> list[type[errors.PaddockError]]:
    """A class and all below it that the tree in `errors.py` holds, in the order they are written."""
    children = (child for child in cls.__subclasses__() if child.__module__.startswith(errors.__name__))
    return [cls, *(found for child in children for found in subclasses(child))]


def errors_page() -> str:
    """Every error with what it becomes over HTTP, or that it is the command line's alone."""
    every = subclasses(errors.PaddockError)
    over_http: list[list[str]] = []
    for cls in [*(cls for cls in every[1:] if cls in TABLE), every[0]]:
        fault, words = TABLE[cls], meaning(cls)
        status = str(fault.status) if fault.status else "the engine's"
        if cls is errors.PaddockError:
            words = "Anything else: a fault of paddock's own. The log holds the details, under the request's id."
        name, code = f"`{cls.__name__}`", f"`{fault.openai_code}`" if fault.openai_code else ""
        over_http.append([name, status, f"`{fault.openai_type}`", code, f"`{fault.anthropic_type}`", words])
    heads = ("error", "status", "OpenAI type", "OpenAI code", "Anthropic type", "meaning")
    at_home = [[f"`{cls.__name__}`", meaning(cls)] for cls in every if cls not in (*TABLE, errors.EngineError)]
    return (
        f"{HEAD}\n# Errors\n\nA message is one sentence that names the value and the next step.\n\n"
        "## Over HTTP\n\n"
        'The body is `{"error": {"message", "type", "param", "code"}}`. Once a stream has opened, an error is one last '
        'frame `data: {"error": {…, "type": "server_error"}}`, and the stream ends without `[DONE]`.\n\n'
        + table(heads, over_http)
        + "\n## At the command line\n\nThe message goes to stderr and the exit status is not 0.\n\n"
        + table(("error", "meaning"), at_home)
    )


def wire_page() -> str:
    """Every rule of the wire with the tests that show it."""
    head = (
        f"{HEAD}\n# The wire\n\nWhat every endpoint must do, and the tests that show it. Times are measured, not "
        "tested.\n\n"
    )
    return head + coverage.page(ROWS, BEYOND)


def sandbox_page() -> str:
    """Every attempt to get out of a workspace."""
    return f"{HEAD}\n# Attempts to get out of the sandbox\n\n{attempts.page()}"


def families_page() -> str:
    """Every family of models with what is recommended for it, and who says so."""

    def told(numbers: Mapping[str, float]) -> str:
        return ", ".join(f"{name} {value:g}" for name, value in numbers.items())

    rows: dict[bool, list[list[str]]] = {True: [], False: []}
    for family in families():
        thinking = family.thinking
        if family.thinks_from_parameters:
            thinking += f", off below {family.thinks_from_parameters / 1e9:g} billion parameters"
        about = [family.title, f"`{family.pattern.pattern}`", told(family.sampling), thinking]
        source = [f"{family.source}: “{family.says}”"] if family.verified else []
        rows[family.verified].append([*about, told(family.thinking_sampling), *source])
    heads = ("family", "name", "sampling", "thinking", "sampling with thinking")
    return (
        f"{HEAD}\n# Families of models\n\n[Sampling](../sampling.md) tells how this is used. `thinking` is none, "
        "always, or what a request gets that says nothing.\n\n## Applied\n\nSomebody read the source of each of "
        "these rows.\n\n" + table((*heads, "source"), rows[True]) + "\n## Offered\n\nNobody read a source for "
        "these: they were written down from memory, are shown and not applied.\n\n" + table(heads, rows[False])
    )


def model_settings_page() -> str:
    """Every setting of a single model with its range, meaning and when it takes effect."""
    rows: list[list[str]] = []
    for name in saved.NAMES:
        about = saved.spec_of(name).metadata
        extent = ", ".join(f"`{choice}`" for choice in about["choices"])
        if about["low"] is not None:
            extent = f"{about['low']:,} to {about['high']:,}"
        when = {"request": "the next request", "load": "the next load"}[about["when"]]
        rows.append([f"`{name}`", about["kind"].__name__, extent, when, about["help"]])
    return (
        f"{HEAD}\n# Settings of a model\n\n`paddock models set MODEL NAME=VALUE` and "
        "`PUT /api/models/{id}/settings` set these for one model alone.\n\n"
        + table(("name", "kind", "range", "holds from", "meaning"), rows)
    )


def training_page() -> str:
    """Every option of a training."""
    rows: list[list[str]] = []
    for option in described():
        extent = ", ".join(f"`{choice}`" for choice in option["choices"])
        if option["low"] is not None:
            extent = f"{option['low']:,} to {option['high']:,}"
        unit, methods = option["unit"], option["methods"]
        means = option["help"] if methods == METHODS else f"{option['help']} ({', '.join(methods)})"
        rows.append(
            [f"`{option['name']}`", option["kind"], unit, extent, f"`{option['default']}`", option["source"], means]
        )
    return (
        f"{HEAD}\n# Options of a training\n\nOf a YAML file, of `paddock train run --set NAME=VALUE`, and of "
        "`POST /api/training`; [training](../training.md) tells how they are used. A default is paddock's own, "
        "or that of the library that is named.\n\n"
        + table(("name", "kind", "unit", "range", "default", "default of", "meaning"), rows)
    )


def support_page() -> str:
    """Platform by feature: what was run, what was decided over tables, what was only written."""
    table_of = support.known()
    head = (
        f"{HEAD}\n# Support by platform\n\n"
        "**Tested** was run on such a machine, by that command, on that day. **Table-tested** was decided over tables "
        "of machines, or checked as a file, without one. **Written, never run** is experimental: nothing here rests on "
        "it, and `paddock doctor` and the page say so on such a machine. All of it lies in "
        "`src/paddock/install/support.toml`.\n"
    )
    parts = [head]
    for platform, name in table_of.platforms.items():
        rows = [[what, table_of.of(platform, feature).told] for feature, what in table_of.features.items()]
        parts.append(f"\n## {name}\n\n" + table(("feature", "what is known"), rows))
    return "".join(parts)


def between(text: str, marks: tuple[str, str], new: str) -> str:
    """A page's text with what stands between two marks written anew."""
    before, begin, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    assert begin, f"a page has lost the mark {marks[0]}"
    assert end, f"a page has lost the mark {marks[1]}"
    return f"{before}{begin}\n\n{new}\n{end}{after}"


def with_coverage(text: str) -> str:
    """The text of docs/api.md with its table of coverage written anew."""
    return between(text, COVERAGE, coverage.summary(ROWS, BEYOND))


def with_metrics(text: str) -> str:
    """The text of docs/operations.md with its table of metrics written anew."""
    rows = [[f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.says] for one in FAMILIES]
    return between(text, METRICS, table(("metric", "type", "labels", "meaning"), rows))


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "errors.md": errors_page,
    "wire.md": wire_page,
    "families.md": families_page,
    "model-settings.md": model_settings_page,
    "training.md": training_page,
    "sandbox.md": sandbox_page,
}


def main() -> None:
    """Write every page whose text has changed."""
    for page, renewed in ((API, with_coverage), (OPERATIONS, with_metrics)):
        text = page.read_text("utf-8")
        if renewed(text) != text:
            page.write_text(renewed(text), "utf-8")
            print(f"docs/{page.name} written")
    if not SUPPORT.exists() or SUPPORT.read_text("utf-8") != support_page():
        SUPPORT.write_text(support_page(), "utf-8")
        print("docs/support.md written")
    REFERENCE.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page()
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"docs/reference/{name} written")


if __name__ == "__main__":
    main()
