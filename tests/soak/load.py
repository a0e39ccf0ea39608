"""Owns the load of a soak: clients that ask, clients that are killed, and the killing of engines; judges no growth.

A client that is killed is, to a server, a connection that its system closes in the middle; that is what is done here.
"""

from __future__ import annotations

import random
import time

import anyio
import httpx
import psutil

from tests.soak.account import Account
from tests.soak.judging import PATHS, Asked, outcome

CLIENTS = 40
# Until then every request must have ended; it guards against a request that is lost.
_LOST_S = 180.0
_KILLED_SHARE = 0.2
_LIFE_S = 1.0
_PAUSE_S = (0.5, 5.0)
_BETWEEN_KILLS_S = (4.0, 12.0)
_LOOK_S = 0.1
_ENGINE = "paddock.engine."


def engines_of(server: psutil.Process) -> list[psutil.Process]:
    """The engines that this server started, and no other's."""
    found: list[psutil.Process] = []
    for process in server.children(recursive=True):
        try:
            if any(word.startswith(_ENGINE) for word in process.cmdline()):
                found.append(process)
        except psutil.Error:  # it has ended since it was listed
            continue
    return found


def made_up(chance: random.Random, models: tuple[str, ...]) -> Asked:
    """A request of a dialect, a model and a length by chance."""
    return Asked(
        dialect=chance.choice(list(PATHS)),
        model=chance.choice(models),
        stream=chance.random() < 0.5,
        tokens=chance.choice((1, 16, 128, 512)),
        words=" ".join(chance.choice(("Hello", "weather", "count", "to", "ten", "please")) for _ in range(12)),
    )


async def ask(http: httpx.AsyncClient, asked: Asked, account: Account) -> str:
    """Send one request to its end, count it, and return how it ended."""
    try:
        with anyio.fail_after(_LOST_S):
            answer = await http.post(asked.path, json=asked.body)
        end = outcome(asked, answer.status_code, answer.content)
    except (httpx.TransportError, TimeoutError) as error:
        end = f"lost: {type(error).__name__}"
        account.faults.append(f"{error!r} for {asked}")
    except (AssertionError, ValueError, KeyError, TypeError) as error:
        end = "wrong"
        account.faults.append(f"{error!r:.800} for {asked}")
    account.ends[asked.dialect, end] += 1
    return end


async def client(url: str, models: tuple[str, ...], seed: int, until_s: float, account: Account) -> None:
    """One client: it asks, reads, rests a while, and is now and then killed and begins anew."""
    chance = random.Random(seed)
    while time.monotonic() < until_s:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=_LOST_S) as http:
            is_alive = True
            while is_alive and time.monotonic() < until_s:
                asked = made_up(chance, models)
                if chance.random() < _KILLED_SHARE:
                    with anyio.move_on_after(chance.uniform(0.0, _LIFE_S)) as life:
                        await ask(http, asked, account)
                    is_alive = not life.cancelled_caught
                    if not is_alive:
                        account.ends[asked.dialect, "client killed"] += 1
                else:
                    await ask(http, asked, account)
                await anyio.sleep(chance.uniform(*_PAUSE_S))


async def kill_engines(server: psutil.Process, seed: int, account: Account) -> None:
    """Kill one of the server's engines by chance, again and again, whatever it is doing."""
    chance = random.Random(seed)
    while True:
        await anyio.sleep(chance.uniform(*_BETWEEN_KILLS_S))
        if engines := engines_of(server):
            victim = chance.choice(engines)
            account.engine_pids.add(victim.pid)
            victim.kill()
            account.engines_killed += 1


async def watch_engines(server: psutil.Process, account: Account) -> None:
    """Note each engine that is seen."""
    while True:
        account.engine_pids.update(engine.pid for engine in engines_of(server))
        await anyio.sleep(_LOOK_S)


async def load(
    url: str, server: psutil.Process, models: tuple[str, ...], *, length_s: float, seed: int, account: Account
) -> None:
    """All clients at once, for `length_s` seconds and until their last requests have ended."""
    began_s = time.monotonic()
    async with anyio.create_task_group() as killers:
        killers.start_soon(kill_engines, server, seed, account)
        killers.start_soon(watch_engines, server, account)
        async with anyio.create_task_group() as clients:
            for number in range(CLIENTS):
                clients.start_soon(client, url, models, seed * CLIENTS + number, began_s + length_s, account)
        killers.cancel_scope.cancel()
    account.load_s += time.monotonic() - began_s
