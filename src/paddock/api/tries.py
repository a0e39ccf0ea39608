"""Owns how often passwords may be tried: fewer and fewer for a name from one address; refuses to know passwords.

Each name has its own count for each address, so that a stranger who tries a name does not lock its owner out. What one
address tries over all names, and what all addresses try of one name, is bounded too; but the latter holds nobody up who
signed in by that name from his address before. Of IPv6, the network is one address: whoever has one has all of its
2^64. Kept in memory: a new start forgets it.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass

from paddock.errors import TriesSpent

# (free tries, first wait, longest wait), in seconds; each further one doubles it.
_OF_BOTH = (5, 15.0, 900.0)
_OF_ADDRESS = (20, 15.0, 900.0)
_OF_NAME = (60, 5.0, 30.0)
_FORGOTTEN_S = 3600.0
_HELD_MOST = 10_000


@dataclass
class _Tally:
    count: int = 0
    last_s: float = 0.0
    until_s: float = 0.0


class Tries:
    """The tries of one paddock."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], _Tally] = {}
        # Who signed in from where, the last one last.
        self._known: dict[tuple[str, str], None] = {}

    @property
    def held(self) -> int:
        """How many tallies there are."""
        return len(self._tallies)

    def refuse(self, name: str, address: str) -> None:
        """Raises TriesSpent where this name, from this address, must wait."""
        now_s = time.monotonic()
        places = self._places(name, address)
        until_s = max((self._tallies[one].until_s for one in places if one in self._tallies), default=0)
        if until_s > now_s:
            wait_s = int(until_s - now_s) + 1
            raise TriesSpent(
                f"Too many wrong passwords. Try again in {wait_s} s, or ask an admin for a link.", retry_after_s=wait_s
            )

    def begun(self, name: str, address: str) -> None:
        """A password is compared now. It counts as wrong until it is known to be right: many may come at once."""
        now_s = time.monotonic()
        if len(self._tallies) > _HELD_MOST:
            self._tallies = {one: t for one, t in self._tallies.items() if now_s - t.last_s < _FORGOTTEN_S}
        while len(self._tallies) > _HELD_MOST:
            del self._tallies[next(iter(self._tallies))]
        for place, (free, first_s, most_s) in self._places(name, address).items():
            tally = self._tallies.setdefault(place, _Tally())
            if now_s - tally.last_s > _FORGOTTEN_S:
                tally.count = 0
            tally.count, tally.last_s = tally.count + 1, now_s
            if tally.count >= free:
                tally.until_s = now_s + min(most_s, first_s * 2 ** min(tally.count - free, 20))

    def succeeded(self, name: str, address: str) -> None:
        """It was right: what was tried of this name from there before is forgiven, and this one counts nowhere."""
        places = self._places(name, address)
        for place, (free, _, _) in places.items():
            if (tally := self._tallies.get(place)) is not None:
                tally.count -= 1
                tally.until_s = 0.0 if tally.count < free else tally.until_s
                if tally.count <= 0:
                    del self._tallies[place]
        both = next(iter(places))
        self._tallies.pop(both, None)
        self._known.pop(both, None)
        self._known[both] = None
        if len(self._known) > _HELD_MOST:
            del self._known[next(iter(self._known))]

    def _places(self, name: str, address: str) -> dict[tuple[str, str], tuple[int, float, float]]:
        """What a try counts for, and how much of it is free; first the name and the address together."""
        name, address = name.lower(), network_of(address)
        of_all = {} if (name, address) in self._known else {(name, ""): _OF_NAME}
        return {(name, address): _OF_BOTH, ("", address): _OF_ADDRESS, **of_all}


def network_of(address: str) -> str:
    """What one who has this address has as well: of IPv6, all of its network; what is no address is left as it is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.IPv6Network((found, 64), strict=False))
