"""Owns the tiers of Debian 12 and 13: a root of that system, setup.sh and long suites on its own Python; knows no test.

    python3 tests/tiers/debian.py 12|13 [setup] [TIER …]

Covers: an installed user land, its Python (3.11, 3.13) and its libraries, and the install from requirements/;
`setup.sh` by a person without rights in a home of an odd name, without Node, from a checkout that cannot be written;
what it installed, used without any network, and by somebody else who cannot write it.
Does not cover: its kernel, its init, other processors. Needs root, the right to mount, and a Debian mirror, which is
read from this machine's own apt configuration.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

TREE = Path(__file__).resolve().parents[2]
SUITES = {"12": "bookworm", "13": "trixie"}
USUAL = {"12": ["setup"], "13": ["setup", "leave", "kill"]}
PACKAGES = ("python3", "python3-venv", "libgomp1", "ca-certificates")
KEPT = (".venv", ".venv.lock")
CA_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def main(words: Sequence[str]) -> int:
    """Run `dev.py test --tier …` for each of the tiers inside that Debian. The exit status is 0 if all passed."""
    if not words or words[0] not in SUITES:
        fail(f"say which Debian first: {' or '.join(SUITES)}.")
    number, *tiers = words
    require()
    started = time.monotonic()
    root = prepare(number)
    bring_network(root)
    (root / "srv" / "home").mkdir(exist_ok=True)
    bring_tree(root / "srv" / "paddock")
    say(f"Debian {number} stands ready after {time.monotonic() - started:.0f} s.")
    code = 0
    for tier in tiers or USUAL[number]:
        code |= (
            install_there(root)
            if tier == "setup"
            else inside(root, f"cd /srv/paddock && exec python3 dev.py test --tier {shlex.quote(tier)}")
        )
    say(f"The tier of Debian {number} {'failed' if code else 'passed'} after {time.monotonic() - started:.0f} s.")
    return 1 if code else 0


def say(words: str) -> None:
    print(f"debian: {words}", flush=True)


def fail(words: str) -> NoReturn:
    sys.exit(f"debian: {words}")


def require() -> None:
    """End with a plain sentence where this machine cannot run the tier."""
    if sys.platform != "linux" or os.geteuid() != 0:
        fail("this tier makes a root of Debian, which needs Linux and root. Run it as root, or leave it out.")
    if shutil.which("debootstrap") is None and shutil.which("apt-get") is not None:
        say("Installing debootstrap.")
        subprocess.run(["apt-get", "install", "-y", "-q", "debootstrap"], stdout=subprocess.DEVNULL, check=False)
    if shutil.which("debootstrap") is None:
        fail("this tier needs debootstrap, which could not be installed. Try: apt install debootstrap")
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        fail("this tier needs the right to mount, which this container does not have.")


def cache(number: str) -> Path:
    """The folder that keeps the root of a Debian between runs."""
    chosen = os.environ.get("PADDOCK_CACHE")
    if chosen:
        return Path(chosen).absolute() / f"debian{number}"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "paddock" / f"debian{number}"


def mirror() -> str:
    """The Debian mirror that this machine is configured with."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    addresses = [line for line in done.stdout.split() if "security" not in line]
    if not addresses:
        fail("apt knows no Debian mirror. Configure one and run: apt-get update")
    return addresses[0]


def prepare(number: str) -> Path:
    """The root, made once; one that was cut short is made anew."""
    here = cache(number)
    root, draft = here / "root", here / "draft"
    if root.is_dir():
        return root
    say(f"Making a root of Debian {number} in {here}; this takes a minute.")
    shutil.rmtree(draft, ignore_errors=True)
    here.mkdir(parents=True, exist_ok=True)
    bootstrap = ["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITES[number], str(draft), mirror()]
    quietly(bootstrap, "debootstrap could not make the root")
    bring_network(draft)
    install = f"apt-get update -q && apt-get install -y -q --no-install-recommends {' '.join(PACKAGES)}"
    quietly(entering(draft, install), "apt-get could not install Python in the root")
    draft.rename(root)
    return root


def quietly(command: Sequence[str], what: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        fail(f"{what}:\n{done.stdout[-3000:]}")


# A namespace of its own has a loopback that is down.
_LOOPBACK = "import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 1))"
_SETUP = """
rm -rf /srv/people /srv/program && mkdir -p /srv/people/other "/srv/people/$PERSON" /srv/program
chown 1000:1000 "/srv/people/$PERSON" /srv/program && chown 1001:1001 /srv/people/other
as() {{ number=$1; home=$2; shift 2
    setpriv --reuid="$number" --regid="$number" --clear-groups env HOME="$home" "$@"; }}
! command -v node
as 1000 "/srv/people/$PERSON" sh /srv/paddock/setup.sh --prefix /srv/program/paddock
paddock="/srv/people/$PERSON/.local/bin/paddock"
as 1000 "/srv/people/$PERSON" "$paddock" --version
as 1000 "/srv/people/$PERSON" "$paddock" setup python-stack --dry-run
chmod -R a-w /srv/program && chmod a+rx "/srv/people/$PERSON" "/srv/people/$PERSON/.local"
unshare --net sh -ec 'python3 -c "$1"
    export HOME=/srv/people/other
    exec setpriv --reuid=1001 --regid=1001 --clear-groups "$2" doctor' - {loopback} "$paddock"
chmod -R u+w /srv/program
as 1000 "/srv/people/$PERSON" "$paddock" uninstall --yes
test ! -e "$paddock" && test ! -e /srv/program/paddock
"""


def install_there(root: Path) -> int:
    """Install by setup.sh as a person would, use it without network and without writing it, and remove it."""
    say("setup.sh, as a person without rights and without Node.")
    person = "PERSON='Jürgen Müller'; export LANG=C"
    return inside(root, f"set -eu; {person}; {_SETUP.format(loopback=shlex.quote(_LOOPBACK))}")


def inside(root: Path, script: str) -> int:
    return subprocess.call(entering(root, script))


def entering(root: Path, script: str) -> list[str]:
    """The command that runs `script` in `root`. Its mounts live in a namespace and vanish with it."""
    place = shlex.quote(str(root))
    mounts = [f"mount -t proc proc {place}/proc", f"mount --rbind /dev {place}/dev", f"mount --rbind /sys {place}/sys"]
    for folder in local_packages():
        target = shlex.quote(f"{root}{folder}")
        mounts += [f"mkdir -p {target}", f"mount --bind {shlex.quote(str(folder))} {target}"]
    variables = {"HOME": "/srv/home", "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **carried()}
    words = ["env", "-i", *(f"{name}={value}" for name, value in variables.items()), "sh", "-c", script]
    return ["unshare", "--mount", "sh", "-ec", f"{'; '.join(mounts)}; exec chroot {place} {shlex.join(words)}"]


def carried() -> dict[str, str]:
    """The part of this machine's environment that tells how to reach the network."""
    told = re.compile(r"PIP_.*|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(https?|no|all)_proxy", re.IGNORECASE)
    return {name: value for name, value in os.environ.items() if told.fullmatch(name) and name != "PIP_CONFIG_FILE"}


def pip_configuration() -> configparser.RawConfigParser:
    """This machine's pip settings as one file, a nearer file winning over a farther one."""
    merged = configparser.RawConfigParser()
    home = Path.home()
    near = [home / ".pip" / "pip.conf", home / ".config" / "pip" / "pip.conf"]
    merged.read([Path("/etc/pip.conf"), *near, Path(os.environ.get("PIP_CONFIG_FILE") or "/etc/pip.conf")])
    return merged


def pip_values() -> Iterator[str]:
    """Every word of pip's settings, wherever it is set."""
    configuration = pip_configuration()
    for section in configuration.sections():
        for _, value in configuration.items(section):
            yield from value.split()
    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            yield from value.split()


def local_packages() -> list[Path]:
    """Folders of this machine in which pip looks for packages; an index links to files beside itself."""
    words = list(pip_values())
    indexes = {Path(word.removeprefix("file://")).parent for word in words if word.startswith("file:///")}
    plain = {Path(word) for word in words if word.startswith("/")}
    return sorted(place for place in indexes | plain if place.is_dir() and place != Path("/"))


def bring_network(root: Path) -> None:
    """Give the root this machine's name servers, certificates and pip settings."""
    (root / "etc").mkdir(exist_ok=True)
    shutil.copyfile("/etc/resolv.conf", root / "etc" / "resolv.conf")
    with (root / "etc" / "pip.conf").open("w", encoding="utf-8") as file:
        pip_configuration().write(file)
    words = [*pip_values(), *(os.environ.get(name, "") for name in CA_VARIABLES)]
    bundles = {Path(word) for word in [*words, "/etc/ssl/certs/ca-certificates.crt"] if word.startswith("/")}
    for bundle in bundles:
        if bundle.is_file():
            target = Path(f"{root}{bundle}")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle, target)


def bring_tree(target: Path) -> None:
    """Copy the tree, without what it ignores; an environment that was made there before stays."""
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        if old.name in KEPT:
            continue
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()
    listing = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=TREE, capture_output=True, text=True, check=False)
    if done.returncode:
        unwanted = shutil.ignore_patterns(*KEPT, "__pycache__", "node_modules", ".*_cache")
        shutil.copytree(TREE, target, ignore=unwanted, dirs_exist_ok=True)
        return
    for name in filter(None, done.stdout.split("\0")):
        if (TREE / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TREE / name, target / name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
