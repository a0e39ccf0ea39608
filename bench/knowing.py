"""Owns how well passages are found by words, by meaning and by both, on the labelled set of the tests."""

from __future__ import annotations

import json
import statistics
import time
import urllib.parse
import urllib.request
from typing import Any

from bench.figures import Figure
from bench.processes import paddock
from tests.knowledge.labelled import MODEL, ndcg, passages, queries

_WAYS = {"words": "by words alone", "meaning": "by meaning alone", "both": "by both"}
_LOOKED_EVERY_S = 0.2
_INDEXED_WITHIN_S = 300.0


def knowledge(quick: bool) -> list[Figure]:
    """The middle nDCG@10 over all queries, by each way; by both it should be more than by either."""
    with paddock(model_folders=str(MODEL.parent), knowledge_model=MODEL.stem) as served:
        address = f"http://127.0.0.1:{served.paddock.port}/api/knowledge"
        collection = _asked(address, {"name": "Handbook"})["id"]
        began_s = time.perf_counter()
        for name, text in passages().items():
            _sent(f"{address}/{collection}/documents?{urllib.parse.urlencode({'name': name})}", text.encode())
        _indexed(f"{address}/{collection}", began_s)
        scores = {way: _scores(f"{address}/search", collection, way) for way in _WAYS}
    best = max(statistics.mean(scores[way]) for way in ("words", "meaning"))
    of = f"{len(queries())} queries over {len(passages())} passages, the tests' embedding model"
    return [
        Figure(
            name=f"passages found {said}: nDCG@10 of {of}",
            unit="",
            runs=(statistics.mean(scores[way]),),
            total=True,
            least=best if way == "both" else None,
        )
        for way, said in _WAYS.items()
    ]


def _scores(address: str, collection: str, way: str) -> list[float]:
    found: list[float] = []
    for query in queries():
        body = {"collections": [collection], "query": query.text, "way": way, "limit": 10}
        answer = _asked(address, body)
        if answer["note"]:
            raise RuntimeError(answer["note"])
        found.append(ndcg([one["document"] for one in answer["data"]], query.answers))
    return found


def _indexed(address: str, began_s: float) -> None:
    """Wait until all is read and embedded. Raises RuntimeError."""
    while time.perf_counter() - began_s < _INDEXED_WITHIN_S:
        with urllib.request.urlopen(address) as answer:
            told = json.load(answer)
        if set(told["states"]) <= {"ready", "failed"}:
            if told["embedded"] != told["documents"]:
                raise RuntimeError(f"{told['embedded']} of {told['documents']} passages were embedded")
            return
        time.sleep(_LOOKED_EVERY_S)
    raise RuntimeError("the documents were not indexed in time")


def _asked(address: str, body: dict[str, Any]) -> dict[str, Any]:
    return _sent(address, json.dumps(body).encode())


def _sent(address: str, data: bytes) -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(address, data=data, method="POST")) as answer:
        return json.load(answer)
