"""Owns which paddock a command talks to: the one that was named, the one that runs already, or a new one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator

import typer

from paddock.cli import connection, printing
from paddock.cli.connection import Address
from paddock.config import Settings
from paddock.errors import EngineUnreachable

# An address that was typed may be far away.
_GIVEN_TIMEOUT_S = 5.0


@contextlib.contextmanager
def reached(settings: Settings, *, model: str | None, url: str | None) -> Generator[Address]:
    """A paddock for as long as the block lasts.

    Args:
        settings: where one is looked for, and what a new one serves.
        model: the model that it must have.
        url: the address that was typed.

    Raises:
        EngineUnreachable: no paddock answers at `url`.
    """
    address = _given(url) if url is not None else _running_already(settings, model)
    if address is not None:
        yield address
        return
    with connection.started(settings) as address:
        yield address


def running(settings: Settings, *, url: str | None) -> Address:
    """The paddock at the address that was typed, or at the settings' own. Raises EngineUnreachable."""
    if url is not None:
        return _given(url)
    address = connection.Address(host=settings.host, port=settings.port)
    if settings.port == 0 or not connection.is_paddock(address):
        raise EngineUnreachable(f"No paddock answers at {address.url}. Start one with `paddock serve`, or give --url.")
    return address


def _given(url: str) -> Address:
    """The address that was typed, if a paddock answers there."""
    try:
        address = connection.parse_url(url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from error
    if not connection.is_paddock(address, timeout_s=_GIVEN_TIMEOUT_S):
        raise EngineUnreachable(
            f"No paddock answers at {address.url}. Start one with `paddock serve`, or leave --url out."
        )
    return address


def _running_already(settings: Settings, model: str | None) -> Address | None:
    """The paddock at the settings' own address, if there is one and it has the model that was asked for."""
    address = connection.Address(host=settings.host, port=settings.port)
    if settings.port == 0 or not connection.is_paddock(address):
        return None
    if model is not None and (os.path.isfile(model) or model not in connection.model_ids(address)):
        return None
    printing.say(f"Talking to the paddock at {address.url}.")
    return address
