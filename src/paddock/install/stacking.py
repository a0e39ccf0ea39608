"""Owns the training stack as it lies in the data home: made, gone on with, mended, proved; chooses no build.

An environment of its own beside paddock's, laid out as `prefix` does it: its libraries and paddock's exclude one
another in places, an upgrade of paddock leaves its gigabytes alone, and whatever breaks in it, serving goes on.

PREFIX/env-N/steps.json     while it is made: for what, and which steps are done; a run that was cut short goes on there
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import re
import shutil
import sysconfig
import time
from dataclasses import dataclass, field
from pathlib import Path

from paddock.errors import SetupFailed, size
from paddock.install.environment import check_python, check_space, make_venv
from paddock.install.pip import Say, ask, pip
from paddock.install.prefix import Prefix, Record, python_in
from paddock.install.stack import INDEX, RAY_BYTES, RAY_DOWNLOAD_BYTES, REST_BYTES, REST_DOWNLOAD_BYTES, Torch
from paddock.paths import write_whole

_STEPS = "steps.json"
_RAY = "ray"
_PROOF_S = 300.0
# One step of training where it will be done: whether a card answers is known by asking it.
_PROOF = """
import json, torch, transformers, trl, peft, datasets, accelerate, sentence_transformers
kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
model = torch.nn.Linear(4, 2).to(kind)
before = model.weight.detach().clone()
step = torch.optim.SGD(model.parameters(), lr=0.1)
loss = model(torch.ones(3, 4, device=kind)).square().mean()
loss.backward()
step.step()
assert torch.isfinite(loss) and not torch.equal(before, model.weight)
print(json.dumps({"torch": torch.__version__, "device": kind, "is_rocm": torch.version.hip is not None}))
"""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What a stack that works said: its torch, and what that computes on ("cuda" is also AMD's)."""

    torch: str
    device: str


def lock_file(name: str = "training.txt") -> Path:
    """The lock of all but torch, or of Ray: within the package, or in a checkout's requirements. Raises SetupFailed."""
    for path in (Path(__file__).with_name(name), Path(__file__).parents[3] / "requirements" / name):
        if path.is_file():
            return path
    raise SetupFailed("This copy of paddock was made without the lock of the training stack. Install it from a wheel.")


def state(prefix: Prefix) -> Record | None:
    """The stack that is there, as far as its record tells; None where there is none, or it is not whole."""
    name = prefix.current()
    return prefix.record(name) if name else None


def has_ray(prefix: Prefix) -> bool:
    """Whether the stack in use has Ray, by its record."""
    record = state(prefix)
    return record is not None and f" {_RAY} " in record.source


def python(prefix: Prefix) -> Path | None:
    """The Python of the stack in use."""
    name = prefix.current()
    return python_in(prefix.root / name) if name else None


def prove(environment: Path, build: Torch | None = None) -> Proof:
    """Import everything and train one step in a process of its own.

    Args:
        environment: the stack's.
        build: what it should be; None takes what is there.

    Raises:
        SetupFailed: something does not work, or computes elsewhere than the build should.
    """
    works, said = ask(python_in(environment), _PROOF, timeout_s=_PROOF_S)
    if not works:
        raise SetupFailed(f"The training stack does not work: {said}. Type `paddock setup python-stack` to mend it.")
    told = json.loads(said.splitlines()[-1])
    proof = Proof(torch=told["torch"], device=told["device"])
    meant = build.accelerator if build else "cpu"
    if meant in ("cuda", "rocm") and (proof.device != "cuda" or told["is_rocm"] != (meant == "rocm")):
        raise SetupFailed(
            f"torch {proof.torch} was installed for {meant} and does not see the card: it computes on {proof.device}. "
            "Look at the driver, or take the processor: paddock setup python-stack --build cpu"
        )
    return proof


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One build of torch with the libraries around it, at one place.

    `index` is looked in beside those that pip is set to; "" looks in these alone. `lock` names all but torch, `ray`
    what is added for clusters, None where nothing is.
    """

    prefix: Prefix
    build: Torch
    index: str = INDEX
    lock: Path = field(default_factory=lock_file)
    ray: Path | None = None

    @property
    def recipe(self) -> str:
        """What it is made of, in a few words."""
        added = f" {_RAY} {_digest(self.ray)}" if self.ray else ""
        return f"{self.build.requirement} {_digest(self.lock)} {platform.python_version()}{added}"

    @property
    def download_bytes(self) -> int:
        """What comes where nothing is in pip's cache, about."""
        return self.build.download_bytes + REST_DOWNLOAD_BYTES + (RAY_DOWNLOAD_BYTES if self.ray else 0)

    @property
    def disk_bytes(self) -> int:
        """What it takes, about."""
        return self.build.bytes + REST_BYTES + (RAY_BYTES if self.ray else 0)

    def plan(self, reason: str) -> list[str]:
        """What an installation will do, one sentence a line; `reason` is why this build."""
        build = self.build
        where = f"{self.index}/{build.index}" if build.index and self.index else "pip's package index"
        lines = {line for lock in self._locks for line in lock.read_text("utf-8").splitlines()}
        count = sum("==" in line for line in lines)
        told = size(self.download_bytes)
        with_ray = ", Ray among them" if self.ray else ""
        return [
            f"Build of torch: {build.name}. {reason}",
            f"Installs {build.requirement} from {where},",
            f"     and up to {count} packages with hashes from pip's package index{with_ray},",
            f"     into {self.prefix.root}: an environment of its own, beside paddock's.",
            f"Downloads about {told} where nothing is in pip's cache, and takes about {size(self.disk_bytes)}.",
            "Tries it: everything is imported, and one step of training done, before it is used.",
        ]

    def trouble(self) -> str:
        """Why what is there is not this stack, or does not work; "" where all is well."""
        record, name = state(self.prefix), self.prefix.current()
        if record is None or name is None:
            return "There is no training stack here."
        if record.source != self.recipe:
            return "The training stack here is of another build, or of other packages."
        try:
            prove(self.prefix.root / name, self.build)
        except SetupFailed as error:
            return error.message
        return ""

    def install(self, *, say: Say) -> Proof:
        """Make it, or go on where a run was cut short; prove it, use it, and remove the one before.

        Raises:
            DiskTooFull, InstallBusy, HomeUnusable, SetupFailed: what was in use stays in use.
        """
        check_python()
        with self.prefix.alone():
            environment = self._begun() or self.prefix.fresh()
            _sweep(self.prefix, environment)
            if not environment.exists():
                check_space(self.prefix.root, self.disk_bytes + self.build.download_bytes)
            self._make(environment, say)
            say("Trying it: imports, and one step of training.")
            try:
                proof = prove(environment, self.build)
            except SetupFailed:
                # It would fail again: the next run begins anew.
                shutil.rmtree(environment, ignore_errors=True)
                raise
            version = platform.python_version()
            made = Record(version=proof.torch, source=self.recipe, python=version, made_s=int(time.time()))
            self.prefix.finish(environment, made)
            self.prefix.use(environment.name)
            # Gigabytes: unlike paddock itself, the one before is not kept.
            _sweep(self.prefix, environment)
        return proof

    def _make(self, environment: Path, say: Say) -> None:
        done = self._done(environment)
        if done:
            say(f"Going on after: {', '.join(done)}.")
            _clear_halves(environment)
        steps = {"environment": self._venv, "torch": self._torch, "rest": self._rest}
        for name, step in steps.items():
            if name not in done:
                step(environment, say)
                done = (*done, name)
                write_whole(environment / _STEPS, json.dumps({"recipe": self.recipe, "done": done}))

    @property
    def _locks(self) -> list[Path]:
        return [self.lock, self.ray] if self.ray else [self.lock]

    def _begun(self) -> Path | None:
        """The environment of a run that was cut short, if it is of the same recipe."""
        unfinished = [path for path in self.prefix.root.glob("env-*") if self.prefix.record(path.name) is None]
        return next((path for path in unfinished if self._done(path)), None)

    def _done(self, environment: Path) -> tuple[str, ...]:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads((environment / _STEPS).read_text("utf-8"))
            if said["recipe"] == self.recipe and python_in(environment).exists():
                return tuple(map(str, said["done"]))
        return ()

    def _venv(self, environment: Path, say: Say) -> None:
        # What one that was cut short here left behind is no environment.
        shutil.rmtree(environment, ignore_errors=True)
        say(f"Making an environment in {environment}.")
        make_venv(environment)

    def _torch(self, environment: Path, say: Say) -> None:
        say(f"Installing {self.build.requirement}.")
        # Which versions of what torch needs is the lock's to say, so that nothing is installed twice.
        named = environment / "constraints.txt"
        pins = re.findall(r"^[\w.-]+==[^\s\\]+(?: ;[^\\\n]*)?", self.lock.read_text("utf-8"), re.MULTILINE)
        named.write_text("\n".join(pins), "utf-8")
        words = ["install", "--only-binary=:all:", "--constraint", str(named), self.build.requirement]
        if self.build.index and self.index:
            words += ["--extra-index-url", f"{self.index}/{self.build.index}"]
        pip(python_in(environment), words, what=self.build.requirement, say=say)

    def _rest(self, environment: Path, say: Say) -> None:
        say("Installing the rest, each package checked against its hash.")
        words = ["install", "--require-hashes", "--no-deps", "--only-binary=:all:"]
        words += [word for lock in self._locks for word in ("-r", str(lock))]
        pip(python_in(environment), words, what="The training stack", say=say)


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:12]


def _sweep(prefix: Prefix, kept: Path) -> None:
    for path in prefix.root.glob("env-*"):
        if path != kept and path.name != prefix.current():
            shutil.rmtree(path, ignore_errors=True)


def _clear_halves(environment: Path) -> None:
    """Forget packages of which pip had not written the last file: it would take them for whole, and not know them."""
    base = {"base": str(environment), "platbase": str(environment)}
    for about in Path(sysconfig.get_path("purelib", scheme="venv", vars=base)).glob("*.dist-info"):
        if not (about / "RECORD").is_file():
            shutil.rmtree(about, ignore_errors=True)
