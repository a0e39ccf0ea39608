"""Owns the list of what a wheel of paddock brings and needs, as CycloneDX JSON; made of the locks, the same each time.

What the page is made of lies in the wheel; the Python packages are those that `requirements/run.txt` pins, which an
installation by the lock takes.
"""

from __future__ import annotations

import base64
import json
import re
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "build" / "sbom" / "paddock.cdx.json"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_NAMESPACE = uuid.UUID("7d3f2f0e-6a53-4b8e-9d3c-5f0c0a8f7a11")


def write() -> Path:
    """Write the list; where it lies. Raises OSError."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(bill(), indent=1, sort_keys=True) + "\n", "utf-8")
    return FILE


def bill() -> dict[str, Any]:
    """The list."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    init = (ROOT / "src" / "paddock" / "__init__.py").read_text("utf-8")
    version = re.search(r'__version__ = "([^"]+)"', init)
    assert version, "src/paddock/__init__.py tells no version"
    own = {
        "type": "application",
        "bom-ref": "paddock",
        "name": project["name"],
        "version": version[1],
        "licenses": [{"license": {"id": project["license"]}}],
    }
    components = sorted([*_python(), *_node()], key=lambda one: one["purl"])
    serial = uuid.uuid5(_NAMESPACE, json.dumps([own, components], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": own},
        "components": components,
    }


def _python() -> Iterator[dict[str, Any]]:
    """The Python packages that are pinned."""
    for name, version in _PINNED.findall((ROOT / "requirements" / "run.txt").read_text("utf-8")):
        yield _component(name, version, f"pkg:pypi/{name.lower()}@{version}", scope="required")


def _node() -> Iterator[dict[str, Any]]:
    """What the page is made of; programs that only build it are left out."""
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text("utf-8"))
    for place, told in lock["packages"].items():
        if not place or told.get("dev") or told.get("devOptional"):
            continue
        name = place.rpartition("node_modules/")[2]
        purl = f"pkg:npm/{quote(name, safe='/')}@{told['version']}"
        made = _component(name, told["version"], purl, scope="required")
        kind, _, digest = told.get("integrity", "").partition("-")
        if kind == "sha512":
            made["hashes"] = [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}]
        if licence := told.get("license"):
            made["licenses"] = [{"expression": licence}]
        yield made


def _component(name: str, version: str, purl: str, *, scope: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "scope": scope}
