"""Owns `paddock setup` and `setup python-stack`: the plan that is told first, the question, what is printed.

Refuses to know how a build or a stack is chosen or installed.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from paddock.cli import printing
from paddock.config import Settings, load
from paddock.errors import PaddockError, SetupFailed, size

if TYPE_CHECKING:
    from paddock.install.host import Host
    from paddock.install.rank import Ranked
    from paddock.install.stack import Verdict
    from paddock.install.stacking import Stack

app = typer.Typer(help="Make this machine ready: the engine that suits it, the training stack, a check.")
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Agree beforehand to what is told.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]


class Adding(enum.Enum):
    """What can be added to the training stack."""

    RAY = "ray"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of `paddock setup`: what is said of it beforehand, and whether there is anything to do."""

    title: str
    lines: Sequence[str]
    is_due: bool


@app.callback(invoke_without_command=True)
def setup(
    context: typer.Context,
    yes: Yes = False,
    dry_run: DryRun = False,
    no_engine: Annotated[bool, typer.Option("--no-engine", help="Leave the engine as it is.")] = False,
    no_stack: Annotated[bool, typer.Option("--no-stack", help="Leave the training stack as it is.")] = False,
) -> None:
    """Look for a faster engine, install the training stack, and check that all works; each step is told and asked.

    Ends with 1 if a check fails. A step that is declined is left out.
    """
    if context.invoked_subcommand is not None:
        return
    from paddock.cli import checks, doctor, engine

    settings = load()
    if not no_engine:
        step, chosen = _engine_step(settings)
        if _wanted(step, yes=yes, dry_run=dry_run) and chosen:
            engine.install(build=chosen.name)
    if not no_stack:
        verdict = _verdict(None)
        stack = _stack(settings, verdict)
        if _wanted(_stack_step(stack, verdict), yes=yes, dry_run=dry_run):
            _install_stack(settings, stack)
    if dry_run:
        _tell(Step(title="Check", lines=["`paddock doctor`: starts the engine and lets it answer."], is_due=True))
        return
    print("Check")
    doctor.show(checks.all_checks(), as_json=False, well="Paddock works here.")


@app.command("python-stack")
def python_stack(
    build: Annotated[
        str | None, typer.Option("--build", metavar="NAME", help="This build of torch, not the one that suits best.")
    ] = None,
    index: Annotated[
        str | None, typer.Option("--index", metavar="URL", help="Where torch's wheels lie; empty: where pip looks.")
    ] = None,
    adding: Annotated[
        Adding | None, typer.Option("--with", help="Add what trains on a cluster; once it is there, it stays.")
    ] = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome, or the plan, as JSON.")] = False,
) -> None:
    """Install what training needs: torch for this machine, and the libraries around it. Mends one that is broken.

    It says beforehand what it chose, why, and how much it downloads. Ctrl+C stops it; the same command goes on.
    """
    settings = load()
    verdict = _verdict(build)
    stack = _stack(settings, verdict, index, adds_ray=adding is Adding.RAY)
    step = _stack_step(stack, verdict)
    if dry_run and as_json:
        _print_plan(stack, verdict, step)
        return
    if _wanted(step, yes=yes, dry_run=dry_run, must=True):
        _install_stack(settings, stack)
    if as_json:
        from paddock.install import stacking

        record = stacking.state(stack.prefix)
        version = record.version if record else None
        printing.data(
            {
                "build": verdict.build.name,
                "torch": version,
                "python": str(stacking.python(stack.prefix)),
                "has_ray": stacking.has_ray(stack.prefix),
            }
        )


def _print_plan(stack: Stack, verdict: Verdict, step: Step) -> None:
    from paddock.install.stack import verdicts

    printing.data(
        {
            "build": verdict.build.name,
            "reason": verdict.reason,
            "is_due": step.is_due,
            "download_bytes": stack.download_bytes,
            "disk_bytes": stack.disk_bytes,
            "builds": [{"name": one.build.name, "fits": one.fits, "reason": one.reason} for one in verdicts(_host())],
        }
    )


def _host() -> Host:
    from paddock import hardware
    from paddock.install.host import this_host

    return this_host(hardware.describe(), has_compiler=False)


def _verdict(name: str | None) -> Verdict:
    """The build of that name, else the one that suits best. Raises SetupFailed."""
    from paddock.install.stack import best, verdicts

    found = verdicts(_host())
    if name is not None:
        named = next((one for one in found if one.build.name == name), None)
        if named is None:
            known = ", ".join(one.build.name for one in found)
            raise SetupFailed(f"There is no build of torch {name!r}. Builds: {known}.")
        return named
    chosen = best(found)
    if chosen is None:
        reasons = " ".join(f"{one.build.name}: {one.reason}" for one in found)
        raise SetupFailed(f"No build of torch suits this machine. {reasons}")
    return chosen


def _stack(settings: Settings, verdict: Verdict, index: str | None = None, *, adds_ray: bool = False) -> Stack:
    """The stack that is meant; Ray stays where it is. Raises SetupFailed."""
    from paddock.install.prefix import Prefix
    from paddock.install.stack import INDEX
    from paddock.install.stacking import Stack, has_ray, lock_file

    prefix = Prefix(settings.home.stack)
    ray = lock_file("ray.txt") if adds_ray or has_ray(prefix) else None
    return Stack(prefix=prefix, build=verdict.build, index=INDEX if index is None else index, ray=ray)


def _stack_step(stack: Stack, verdict: Verdict) -> Step:
    trouble = stack.trouble()
    if not trouble:
        return Step(title="Training stack", lines=[f"It is here and works: {verdict.build.requirement}."], is_due=False)
    return Step(title="Training stack", lines=[trouble, *stack.plan(verdict.reason)], is_due=True)


def _install_stack(settings: Settings, stack: Stack) -> None:
    settings.home.ensure()
    proof = stack.install(say=printing.say)
    printing.say(f"torch {proof.torch} works, and computes on {proof.device}.")


def _engine_step(settings: Settings) -> tuple[Step, Ranked | None]:
    """What is to be done about the engine: a build for a card where there is one; the wheel's own otherwise."""
    from paddock.cli.engine import choose_build, rank_builds
    from paddock.install.builds import Builds

    active = Builds(settings.home).pointer().active
    if active:
        return Step(title="Engine", lines=[f"The build '{active}' is in use."], is_due=False), None
    try:
        _, ranked = rank_builds(settings, None)
        chosen = choose_build(ranked, None)
    except PaddockError as error:
        return Step(title="Engine", lines=[f"{error.message} The engine of the wheel stays."], is_due=False), None
    if chosen.offer is None or chosen.offer.accelerator == "cpu":
        line = "The engine that came with paddock suits this machine: no card was found that another build could use."
        return Step(title="Engine", lines=[line], is_due=False), None
    told = size(chosen.offer.size_bytes)
    lines = [f"{chosen.name}: {chosen.reason}", f"Downloads {told}, checks it, and tries it before it is used."]
    return Step(title="Engine", lines=lines, is_due=True), chosen


def _wanted(step: Step, *, yes: bool, dry_run: bool, must: bool = False) -> bool:
    """Tell a step, and ask whether to take it, where there is anything to do. Raises SetupFailed if it `must` be."""
    _tell(step)
    if dry_run or not step.is_due:
        return False
    if yes or printing.agrees("Do it? Type y to do it."):
        return True
    if must:
        raise SetupFailed("Nothing was installed, since nobody agreed. Type y when asked, or say --yes.")
    return False


def _tell(step: Step) -> None:
    printing.say("\n".join([step.title, *(f"  {line}" for line in step.lines)]))
