"""Owns those who bring models in and load them while the server dies: downloads, imports, loads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from paddock.models.catalog import BUNDLED
from tests.fakes.hub import Hub
from tests.journeys.killed.hands import Hand
from tests.journeys.killed.ledger import Refused
from tests.journeys.killed.stage import TRANSFER_S

POCKET = BUNDLED["pocket-v0"].read_bytes()
REPOS = tuple(f"ours/model-{number}" for number in range(4))


def filled(hub: Hub) -> None:
    """A model in each repository, each of other bytes."""
    for number, repo in enumerate(REPOS):
        hub.add(repo, f"model-{number}-Q8_0.gguf", POCKET[:-1] + bytes([number]))
    hub.misbehave({"slow_s": TRANSFER_S})


def id_of(repo: str) -> str:
    return f"{repo}:Q8_0"


class Fetcher(Hand):
    """Downloads that are begun, paused, resumed, cancelled and forgotten, and pulled models that are removed."""

    @property
    def steps(self) -> Sequence[Callable[[], object]]:
        return self.start, self.start, self.pause, self.resume, self.cancel, self.remove

    def start(self) -> None:
        repo = self.chance.choice(REPOS)
        if self._wish(repo) is None and id_of(repo) not in self.ledger.of("pulled"):
            with self.ledger.change({f"download/{id_of(repo)}": "wanted"}):
                self.send("POST", "/api/downloads", {"model": id_of(repo)})

    def pause(self) -> None:
        self._tell("pause", before="wanted", after="paused")

    def resume(self) -> None:
        self._tell("resume", before="paused", after="wanted")

    def cancel(self) -> None:
        repo = self._tell("cancel", before="wanted", after="cancelled")
        if repo and self.chance.random() < 0.5:
            self._forget(repo)

    def remove(self) -> None:
        """Forget what has ended, and remove the model that came."""
        for found in self.send("GET", "/api/downloads")["data"]:
            repo = found["model"].partition(":")[0]
            if found["state"] == "cancelled":
                self._forget(repo)
            elif found["state"] == "done":
                if self.ledger.of("pulled").get(found["model"]) != "removed":
                    self.ledger.note({f"pulled/{found['model']}": "there"})
                    with self.ledger.change({f"pulled/{found['model']}": "removed"}):
                        self.send("DELETE", f"/api/models/{found['model']}")
                self._forget(repo)

    def _wish(self, repo: str) -> str | None:
        return self.ledger.of("download").get(id_of(repo))

    def _tell(self, word: str, *, before: str, after: str) -> str | None:
        repo = self.chance.choice(REPOS)
        if self._wish(repo) != before or (found := self._find(repo)) is None:
            return None
        try:
            with self.ledger.change({f"download/{id_of(repo)}": after}):
                self.send("POST", f"/api/downloads/{found['id']}/{word}")
        except Refused:
            # It may have ended just now.
            assert self._find(repo)["state"] == "done"
            return None
        return repo

    def _forget(self, repo: str) -> None:
        if found := self._find(repo):
            with self.ledger.change({f"download/{id_of(repo)}": None, f"pulled/{id_of(repo)}": None}):
                self.send("DELETE", f"/api/downloads/{found['id']}")

    def _find(self, repo: str) -> Any:
        found = self.send("GET", "/api/downloads")["data"]
        return next((one for one in found if one["model"] == id_of(repo)), None)


class Loader(Hand):
    """Models that are imported, loaded, unloaded and removed."""

    @property
    def steps(self) -> Sequence[Callable[[], object]]:
        return self.bring, self.load, self.load, self.unload, self.remove

    def bring(self) -> None:
        name = self.new_id()
        if len(self.ledger.of("model")) < 3:
            with self.ledger.change({f"model/{name}": "there"}):
                path = str(BUNDLED["pocket-v0"])
                self.send("POST", "/api/models/import", {"path": path, "name": name})

    def load(self) -> None:
        if name := self.any_of(self.ledger.of("model")):
            self.send("POST", f"/api/models/{name}/load")

    def unload(self) -> None:
        if name := self.any_of(self.ledger.of("model")):
            self.send("POST", f"/api/models/{name}/unload")

    def remove(self) -> None:
        if name := self.any_of(self.ledger.of("model")):
            with self.ledger.change({f"model/{name}": None}):
                self.send("DELETE", f"/api/models/{name}")
