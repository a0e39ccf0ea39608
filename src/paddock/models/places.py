"""Owns where models may lie beside the data home: folders of the person's choice, and those of other programs.

Reads names alone; refuses to look into a file, and never writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from paddock.config import Settings
from paddock.models import hub_cache, ollama
from paddock.models.entries import Entry, Origin, first_parts, id_of_file, is_gguf
from paddock.models.hub_choice import names_of_variants

_DEEPEST = 8
_LMSTUDIO_USUAL = (".lmstudio/models", ".cache/lm-studio/models")
# Where Ollama keeps models when it runs as a service of the system.
_OLLAMA_SERVICE = Path("/usr/share/ollama/.ollama/models")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A folder with models, and whose it is."""

    origin: Origin
    folder: Path

    def entries(self) -> Iterator[Entry]:
        """What lies there. A folder that is not there, or cannot be read, holds nothing, unless it was chosen."""
        if self.origin != "folder" and not os.path.isdir(self.folder):
            return iter(())
        return _SCANS[self.origin](self.folder)


def places_of(settings: Settings, environ: Mapping[str, str] | None = None) -> tuple[Place, ...]:
    """The places under these settings, in the order in which they come when two hold the same model."""
    env = os.environ if environ is None else environ
    chosen = [name for name in settings.model_folders.split(os.pathsep) if name.strip()]
    places = [Place(origin="folder", folder=_whole(Path(name))) for name in chosen]
    if settings.scan_others:
        lmstudio = [Path(settings.lmstudio_folder)] if settings.lmstudio_folder else _under_home(_LMSTUDIO_USUAL)
        ollama_folder = settings.ollama_folder or env.get("OLLAMA_MODELS", "")
        ollamas = [Path(ollama_folder)] if ollama_folder else [*_under_home((".ollama/models",)), _OLLAMA_SERVICE]
        places.append(Place(origin="hub-cache", folder=hub_cache.cache_folder(env)))
        places += [Place(origin="lmstudio", folder=_whole(folder)) for folder in lmstudio]
        places += [Place(origin="ollama", folder=_whole(folder)) for folder in ollamas]
    return tuple(places)


def _whole(folder: Path) -> Path:
    # Not Path.expanduser, which raises where that is the home of nobody: then the folder is one that is not there.
    return Path(os.path.expanduser(folder)).absolute()


def _under_home(names: Iterable[str]) -> list[Path]:
    try:
        home = Path.home()
    except RuntimeError:
        # A user without a home has no such folders.
        return []
    return [home / name for name in names]


def _chosen(folder: Path) -> Iterator[Entry]:
    if not os.path.isdir(folder):
        reason = f"model_folders names a folder '{folder.name}' that is not there. Mend the setting."
        yield Entry(id=folder.name or "/", path=folder, origin="folder", defect=reason)
        return
    for path, defect in first_parts(_walk(folder)):
        yield Entry(id=id_of_file(path.name), path=path, origin="folder", defect=defect)


def _lmstudio(folder: Path) -> Iterator[Entry]:
    """Files lie at PUBLISHER/REPOSITORY/FILE, and get the ids that they would have if they were pulled."""
    shelves: dict[Path, list[tuple[Path, str | None]]] = {}
    for path, defect in first_parts(_walk(folder)):
        shelves.setdefault(path.parent, []).append((path, defect))
    for shelf, found in shelves.items():
        parts = shelf.relative_to(folder).parts
        quants = names_of_variants([path.name for path, _ in found])
        for path, defect in found:
            is_usual = len(parts) == 2
            model_id = f"{parts[0]}/{parts[1]}:{quants[path.name]}" if is_usual else id_of_file(path.name)
            yield Entry(id=model_id, path=path, origin="lmstudio", defect=defect)


def _walk(folder: Path) -> Iterator[Path]:
    """The GGUF files under a folder. Links to folders are not followed, so that no circle is walked."""
    for root, folders, files in os.walk(folder):
        depth = len(Path(root).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if depth < _DEEPEST else []
        yield from (Path(root, name) for name in files if is_gguf(name))


_SCANS: Mapping[Origin, Callable[[Path], Iterator[Entry]]] = {
    "folder": _chosen,
    "hub-cache": hub_cache.cached_models,
    "lmstudio": _lmstudio,
    "ollama": ollama.models_of,
}
