"""Owns what the scripted engine does when it is to save or restore a slot: it uses real files. No sockets."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from tests.fakes.scripted_shapes import Answer, Script


def slots_of(script: Script, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """What `/slots` tells: slots that nobody used, or those that hold the scripted `slot_tokens`."""
    told: list[dict[str, Any]] = [{"id": number, "is_processing": False} for number in range(arguments.parallel)]
    for slot, tokens in zip(told, script.get("slot_tokens", []), strict=False):
        slot.update(id_task=slot["id"], n_prompt_tokens=tokens)
    return told


def write_half(body: bytes, arguments: argparse.Namespace) -> None:
    """Begin the file of a save that is scripted to go wrong, or to be late."""
    path = Path(arguments.slot_save_path, json.loads(body)["filename"])
    path.write_bytes(b"half")


def slot_answer(number: int, query: str, body: bytes, script: Script, arguments: argparse.Namespace) -> Answer:
    """A slot that is saved or restored without fault."""
    if not arguments.slot_save_path:
        return _refused(501, "This server does not support slots action. Start it with `--slot-save-path`")
    name = json.loads(body)["filename"]
    path = Path(arguments.slot_save_path, name)
    tokens = dict(enumerate(script.get("slot_tokens", []))).get(number, 0)
    if query == "action=save":
        size_bytes = path.write_bytes(b"what slot %d of %s held" % (number, os.fsencode(arguments.alias)))
        return {"json": {"id_slot": number, "filename": name, "n_saved": tokens, "n_written": size_bytes}}
    if not path.is_file():
        return _refused(400, "Unable to restore slot: there is no such file")
    return {"json": {"id_slot": number, "filename": name, "n_restored": tokens, "n_read": path.stat().st_size}}


def _refused(status: int, message: str) -> Answer:
    return {"status": status, "json": {"error": {"code": status, "message": message, "type": "not_supported_error"}}}
