"""Tests documents on the real engine with a small embedding model: found by meaning, by commands, after a restart."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from paddock.app import running
from paddock.config import Settings, load
from tests.engine import environ
from tests.fakes.documents import pdf
from tests.knowledge.labelled import MODEL, ndcg, passages, queries

pytestmark = pytest.mark.anyio
WAIT_S = 120.0


def settings_in(home: Path) -> Settings:
    told = {"port": 0, "threads": 1, "knowledge_model": MODEL.stem, "model_folders": str(MODEL.parent)}
    return load(told, environ=environ(home))


async def settled(http: httpx.AsyncClient, one: str) -> dict[str, int]:
    with anyio.fail_after(WAIT_S):
        while not set((told := (await http.get(one)).json())["states"]) <= {"ready", "failed"}:
            await anyio.sleep(0.1)
    return told


async def test_both_ways_together_find_more_than_either_alone_also_after_a_restart_in_the_midst(tmp_path: Path) -> None:
    settings = settings_in(tmp_path / "home")
    async with running(settings) as studio, httpx.AsyncClient(base_url=studio.url, timeout=WAIT_S) as http:
        collection = (await http.post("/api/knowledge", json={"name": "Handbook"})).json()["id"]
        one = f"/api/knowledge/{collection}"
        for name, text in passages().items():
            await http.post(f"{one}/documents", params={"name": name}, content=text.encode())
        assert set((await http.get(one)).json()["states"]) != {"ready"}
    # It ended with most of them unread.
    async with running(settings) as studio, httpx.AsyncClient(base_url=studio.url, timeout=WAIT_S) as http:
        told = await settled(http, one)
        assert told["states"] == {"ready": len(passages())}
        assert told["embedded"] == told["passages"] == len(passages())
        scores: dict[str, list[float]] = {}
        for way in ("words", "meaning", "both"):
            for query in queries():
                body = {"collections": [collection], "query": query.text, "way": way}
                answer = (await http.post("/api/knowledge/search", json=body)).json()
                assert answer["note"] == ""
                found = [hit["document"] for hit in answer["data"]]
                scores.setdefault(way, []).append(ndcg(found, query.answers))
    middle = {way: statistics.mean(one) for way, one in scores.items()}
    assert middle["both"] > max(middle["words"], middle["meaning"])
    assert min(middle.values()) > 0.2


async def test_the_commands_add_find_follow_and_remove(tmp_path: Path) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "farm.pdf").write_bytes(pdf("The physician sees patients.", "Oats are fed at noon."))
    (papers / "bad.pdf").write_bytes(b"%PDF-1.4 nonsense")
    async with running(settings_in(tmp_path / "home")) as studio:

        async def said(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "paddock", "knowledge", *words, "--url", studio.url]
            env = environ(tmp_path / "home") | {"PATH": "/usr/bin:/bin"}
            done = await anyio.to_thread.run_sync(
                lambda: subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, env=env, check=False)
            )
            assert done.returncode == status, done.stderr
            return done

        made = await said("add", "Farm", str(papers / "farm.pdf"), str(papers / "bad.pdf"))
        assert "failed" in made.stdout
        assert "This PDF cannot be read" in made.stderr
        hits = json.loads((await said("search", "Farm", "doctor", "--limit", "1", "--json")).stdout)
        assert [(hit["document"], hit["page"], hit["words_rank"]) for hit in hits] == [("farm.pdf", 1, None)]
        assert "farm.pdf, page 1\nThe physician" in (await said("search", "Farm", "doctor")).stdout
        assert "Farm" in (await said("list")).stdout
        await said("remove", "Farm", "--document", "bad.pdf", "--yes")
        (left,) = json.loads((await said("list", "Farm", "--json")).stdout)["data"]
        assert left["name"] == "farm.pdf"
        (papers / "new.txt").write_text("Clover is sown in spring.")
        synced = await said("sync", "Papers", "--folder", str(papers))
        assert synced.stdout == "3 added, 0 changed, 0 removed, 0 same\n"
        (papers / "bad.pdf").unlink()
        assert (await said("sync", "Papers")).stdout == "0 added, 0 changed, 1 removed, 2 same\n"
        await said("remove", "Farm", "--yes")
        assert "no collection" in (await said("search", "Farm", "doctor", status=1)).stderr
        assert (papers / "farm.pdf").exists()
