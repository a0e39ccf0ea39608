"""Owns `paddock pull`: the words and the progress of a download; refuses to know how one works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from paddock.cli import printing
from paddock.config import Settings, load
from paddock.errors import HomeUnusable, StoreUnusable, size

if TYPE_CHECKING:
    from paddock.models.download import Plan


def pull(
    spec: Annotated[str, typer.Argument(metavar="ORG/REPO[:QUANT]", help="A repository with GGUF files on the hub.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Download a model from the Hugging Face hub. Ctrl+C stops it; the same command goes on where it stopped."""
    from paddock.cli.models import entry
    from paddock.cli.progress import Progress
    from paddock.models import download
    from paddock.models.catalog import Catalog

    settings = load()
    hub = download.Hub(token=_token(settings))
    try:
        with Progress(spec) as progress:
            record = download.pull(spec, settings.home, hub=hub, announce=_announce, progress=progress.advance_to)
    except KeyboardInterrupt:
        printing.say(f"\nStopped. What came is kept; `paddock pull {spec}` goes on from there.")
        raise
    model = Catalog.of(settings).find(record.id)
    if as_json:
        printing.data(entry(model))
    else:
        print(f"{model.id} is here. Serve it: paddock serve --model {model.id}")


def _token(settings: Settings) -> str | None:
    """The hub's token that is kept; where it cannot be read, what is open to all is fetched all the same."""
    from paddock.cli.hub import kept_token

    try:
        return kept_token(settings).to_show()
    except (HomeUnusable, StoreUnusable) as error:
        printing.say(f"Warning: the kept hub token cannot be read, and is not shown. {error.message}")
        return None


def _announce(plan: Plan) -> None:
    others = [quant for quant in plan.choice.available if quant != plan.choice.quant]
    choice = f" The repository also has {', '.join(others)}." if others else ""
    eyes = " with the projector that lets it see" if plan.choice.projector else ""
    printing.say(f"Fetching {plan.id}{eyes}, {size(plan.size_bytes)}.{choice}")
