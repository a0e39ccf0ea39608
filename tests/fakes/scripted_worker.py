"""A worker as a process that does what the `base` folder of its order scripts: tells lines, waits, ends.

`script.json` in the base folder, `dry.json` for a dry run and `try.json` for a checkpoint that is tried, is a list of
acts, one after another:
{"tell": KIND, …}      one line of the report
{"wait_s": N}          seconds, ended by a wish
{"until_wished": true} waits for a wish, and tells `stopped` or `cancelled`
{"print": TEXT}        to the output
{"write": NAME, "text": TEXT}  a file in the job's folder; {"write": NAME, "bytes_of": PATH} a copy of one
{"exit": CODE}         ends at once
{"die": true}          is killed
{"lay": FILE, "at": P} copies a file to where P of the order says
A worker that is started again leaves out the steps that it told before, and begins behind them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parents[2] / "src" / "paddock"


def main(root: str) -> int:
    """Do what is scripted."""
    from paddock.jobs.folder import JobFolder, Report

    job = JobFolder(root=Path(root))
    lock = job.worker_lock()
    if not lock.take():
        return 3
    report = Report(job)
    done: set[int] = {event["step"] for event in job.events()[0] if event["kind"] == "step"}
    order = job.order()
    base = Path(order["source"]["base"] if "source" in order else order["base"])
    name = "dry.json" if order.get("dry_run") else "try.json" if "checkpoint" in order else "script.json"
    acts: list[dict[str, Any]] = json.loads((base / name).read_text("utf-8"))
    for act in acts:
        if "tell" in act and act.get("step") not in done:
            said = {name: value for name, value in act.items() if name != "tell"}
            report.tell(act["tell"], **{**said, **({"step": max(done)} if act["tell"] == "begins" and done else {})})
        if "lay" in act and order[act["at"]]:
            shutil.copyfile(act["lay"], order[act["at"]])
        if "write" in act:
            made = job.root / act["write"]
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_bytes(Path(act["bytes_of"]).read_bytes() if "bytes_of" in act else act["text"].encode())
        if "print" in act:
            print(act["print"], flush=True)
        deadline = time.monotonic() + float(act.get("wait_s", 1e9 if "until_wished" in act else 0))
        while time.monotonic() < deadline and job.wish() is None:
            time.sleep(0.01)
        if "until_wished" in act:
            report.tell("stopped" if job.wish() == "save" else "cancelled")
            return 0
        if "exit" in act:
            return int(act["exit"])
        if "die" in act and not done:
            os.kill(os.getpid(), signal.SIGKILL)
    return 0


if __name__ == "__main__":
    spec = importlib.util.spec_from_file_location(
        "paddock", _PACKAGE / "__init__.py", submodule_search_locations=[str(_PACKAGE)]
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["paddock"] = module
    spec.loader.exec_module(module)
    sys.exit(main(sys.argv[1]))
