"""Owns telling the date and time, here or in another time zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from paddock.protocol.turns import Outcome
from paddock.tools.tool import Given, Tool, Unfit, takes, text


async def _carry_out(given: Given) -> Outcome:
    zone = given.arguments.get("timezone") or ""
    try:
        now = datetime.now(ZoneInfo(zone)) if zone else datetime.now().astimezone()
    except (ValueError, OSError, LookupError):
        raise Unfit(f"there is no time zone {zone[:60]!r}; ask as Europe/Berlin or UTC") from None
    return Outcome(text=f"{now:%A}, {now.isoformat(timespec='seconds')} ({now.tzname()})")


DATETIME = Tool(
    name="datetime",
    description="Tells the present date and time.",
    parameters=takes({}, timezone=text("A time zone such as Europe/Berlin; this machine's where it is left out.")),
    carry_out=_carry_out,
    is_harmless=True,
)
