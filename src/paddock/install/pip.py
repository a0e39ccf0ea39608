"""Owns running other Pythons for an installation: pip, and whatever proves that something works; decides nothing.

The person's own settings of pip hold (PIP_INDEX_URL, proxies, pip.conf), but for those that would install elsewhere
than into the environment. Python's standard library alone.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from paddock.errors import SetupFailed

Say = Callable[[str], None]

_ELSEWHERE = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_VIRTUALENV", "PIP_DRY_RUN")
_QUIET = ("--no-input", "--disable-pip-version-check", "--progress-bar=off")
_LINES_KEPT = 40
_EVERY = 10
_LARGE = re.compile(r"\((\d{3,}\.?\d* MB|[\d.]+ GB)\)")
_NO_NETWORK = re.compile("NewConnectionError|ConnectTimeout|ProxyError|NameResolutionError|Max retries exceeded", re.I)
_BAD_CERTIFICATE = re.compile("CERTIFICATE_VERIFY_FAILED|SSLError|SSLCertVerificationError", re.I)
_NO_SPACE = re.compile("No space left on device|Errno 28", re.I)
_NO_BUILD = re.compile("No matching distribution found|Could not find a version", re.I)
_WRONG_HASH = re.compile("DO NOT MATCH THE HASHES", re.I)


def environment_of(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a Python of an installation: this one's, without what would lead it elsewhere.

    A bundle of certificates that is named for everybody (SSL_CERT_FILE) holds for pip too, whose older releases look
    for a name of their own, and for Node, which builds the page and looks for another.
    """
    known = dict(os.environ if environ is None else environ)
    for name in (*_ELSEWHERE, "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__"):
        known.pop(name, None)
    for name in ("PIP_CERT", "NODE_EXTRA_CA_CERTS") if known.get("SSL_CERT_FILE") else ():
        known[name] = known.get(name) or known["SSL_CERT_FILE"]
    return known


def pip(python: Path, words: Sequence[str], *, what: str, say: Say) -> None:
    """Run `pip WORDS` of an environment, telling now and then how far it is.

    Raises:
        SetupFailed: it failed; the message says why, in a sentence where that is known, and pip's last words.
    """
    command = [str(python), "-I", "-m", "pip", *words, *_QUIET]
    last: deque[str] = deque(maxlen=_LINES_KEPT)
    seen = 0
    with subprocess.Popen(
        command,
        env=environment_of(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                last.append(line.rstrip())
                begins = line.strip().partition(" ")[0]
                if begins in {"Collecting", "Processing"}:
                    seen += 1
                    if seen % _EVERY == 0:
                        say(f"  {seen} packages so far")
                elif begins == "Downloading" and _LARGE.search(line):
                    say(f"  {line.strip()}")
            process.wait()
        finally:
            # Whatever ends this ends pip too; where it has ended that does nothing.
            process.kill()
    if process.returncode:
        raise SetupFailed(f"{what} could not be installed. {reason(last)}")


def reason(lines: Sequence[str]) -> str:
    """Why pip failed, from its last lines: a sentence with the next step, then its own words."""
    text = "\n".join(lines)
    advice = "The lines below say why."
    for pattern, sentence in (
        (_NO_SPACE, "The disk is full: free space, or choose another place with --prefix."),
        (_WRONG_HASH, "What was downloaded is not what was promised: try again, and ask who runs the package index."),
        (_BAD_CERTIFICATE, "A certificate is not trusted: name the bundle of your network with SSL_CERT_FILE."),
        (_NO_NETWORK, "The package index cannot be reached: look at the network, or at HTTPS_PROXY and PIP_INDEX_URL."),
        (_NO_BUILD, "There is no build of a package for this machine or this Python."),
    ):
        if pattern.search(text):
            advice = sentence
            break
    told = [line for line in lines if line.strip()][-12:]
    return "\n".join([advice, *(f"    {line}" for line in told)])


def ask(python: Path, code: str, *, timeout_s: float, words: Sequence[str] = ()) -> tuple[bool, str]:
    """Run a line of Python in an environment: whether it worked, and what it printed, or its last words.

    Args:
        python: the environment's Python.
        code: the line; "" runs the module in `words` in its stead.
        timeout_s: after which it counts as failed.
        words: what else stands on its command line.
    """
    line = ["-c", code] if code else []
    try:
        done = subprocess.run(
            [str(python), "-P", *line, *words],
            env=environment_of(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"no end within {timeout_s:g} s"
    except OSError as error:
        return False, str(error.strerror or error)
    if done.returncode == 0:
        return True, done.stdout.strip()
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    return False, said[-1] if said else f"exit status {done.returncode}"
