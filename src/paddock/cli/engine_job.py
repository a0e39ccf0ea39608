"""Owns the program that works on builds for a server: one order on stdin, what happens as lines of JSON on stdout.

It is a process of its own since fetching, compiling and trying block, and so that it can be ended whatever it waits
for. It ends, as with Ctrl+C, when its stdin does: its server wants that, or is gone.

    {"do": "look", "tag", "afresh"}                              → {"result": {"tag", "newest", "offers"}}
    {"do": "install", "build", "tag", "from_source", "anyway"}   → {"result": {"build"}}
    {"do": "use", "build", "anyway"}, {"do": "remove", "build"}  → the same

with lines such as {"say"} and {"done", "total", "unit"} before it, and {"error": {"kind", "message"}} in its place.
Each order has `home` and the server's `settings` as well.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from paddock.cli import printing
from paddock.cli.canary import canary_of
from paddock.cli.engine import choose_build, rank_builds, source_archive
from paddock.config import Settings, load
from paddock.errors import BuildError, PaddockError
from paddock.install import release
from paddock.install.builds import EMBEDDED_NAME, PREVIOUS, Builds
from paddock.install.installing import install_release, install_source, use
from paddock.install.watch import Watch

if TYPE_CHECKING:
    from paddock.install.canary import Canary
    from paddock.install.rank import Ranked

_GRACE_S = 8.0


def main() -> None:
    """Carry out one order."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_server, daemon=True).start()
    try:
        settings = load(order["settings"], {**os.environ, "PADDOCK_HOME": order["home"]})
        _tell({"result": _done(order, settings)})
    except PaddockError as error:
        _tell({"error": {"kind": type(error).__name__, "message": error.message}})
    except KeyboardInterrupt:
        sys.exit(130)


def _done(order: dict[str, Any], settings: Settings) -> dict[str, Any]:
    if order["do"] == "look":
        return _looked(order, settings)
    if order["do"] == "install":
        return {"build": _installed(order, settings)}
    builds = Builds(settings.home)
    if order["do"] == "remove":
        with builds.alone():
            builds.remove(order["build"])
        return {"build": order["build"]}
    name = builds.previous() if order["build"] == PREVIOUS else order["build"]
    wanted = None if name == EMBEDDED_NAME else name
    build = use(wanted, settings.home, watch=_watch("bytes"), canary=_canary(order, settings))
    return {"build": build.name if build else EMBEDDED_NAME}


def _looked(order: dict[str, Any], settings: Settings) -> dict[str, Any]:
    origin = release.Origin.of(settings.engine_mirror)
    _say("Asking what the release holds.")
    tag, ranked = rank_builds(settings, order["tag"], afresh=order["afresh"])
    newest = None
    if order["afresh"]:
        try:
            newest = release.newest(origin)
        except BuildError as error:
            # A mirror need not know; what the release holds is known all the same.
            _say(error.message)
    return {"tag": tag, "newest": newest, "offers": [_offer(one) for one in ranked]}


def _offer(one: Ranked) -> dict[str, Any]:
    size_bytes = one.offer.size_bytes if one.offer else source_archive(None).archive.size_bytes
    accelerator = one.offer.accelerator if one.offer else "cpu"
    return {
        "name": one.name, "fits": one.fits, "reason": one.reason, "accelerator": accelerator, "size_bytes": size_bytes,
    }  # fmt: skip


def _installed(order: dict[str, Any], settings: Settings) -> str:
    canary, chosen, tag = _canary(order, settings), None, ""
    if not order["from_source"]:
        tag, ranked = rank_builds(settings, order["tag"])
        chosen = choose_build(ranked, order["build"])
        _say(f"{chosen.name}: {chosen.reason}")
    if chosen and chosen.offer:
        origin = release.Origin.of(settings.engine_mirror)
        build = install_release(chosen.offer, tag, settings.home, origin, watch=_watch("bytes"), canary=canary)
    else:
        from paddock.hardware import usable_cores

        build = install_source(
            source_archive(None), settings.home, jobs=usable_cores(), watch=_watch("percent"), canary=canary
        )
    return build.name


def _canary(order: dict[str, Any], settings: Settings) -> Canary:
    return canary_of(settings, models=(), is_skipped=False, anyway=order["anyway"], say=_say)


def _watch(unit: str) -> Watch:
    return Watch(say=_say, progress=lambda done, total: _tell({"done": done, "total": total, "unit": unit}))


def _say(words: str) -> None:
    _tell({"say": printing.clean(words)})


_TELLING = threading.Lock()


def _tell(line: dict[str, Any]) -> None:
    with _TELLING:
        print(json.dumps(line), flush=True)


def _end_with_server() -> None:
    while sys.stdin.readline():
        pass
    # To the main thread, whose waiting it ends.
    if os.name == "nt":
        os._exit(130)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    threading.Event().wait(_GRACE_S)
    os._exit(130)


if __name__ == "__main__":
    main()
