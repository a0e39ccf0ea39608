#!/bin/sh
# Installs paddock for you alone: `sh setup.sh --help`. This file only finds a Python; what is done then is told, and
# done, by `paddock.install`, from this checkout or from within the wheel that is named.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" 2>/dev/null && pwd) || here=.
# Whether a Python is new enough, has 64 bits and can make environments. Older ones must be able to read it.
fit='import sys, struct
sys.exit(0 if sys.version_info >= (3, 11) and struct.calcsize("P") == 8 and __import__("importlib.util").util.find_spec("ensurepip") else 1)'

python=
for candidate in "${PADDOCK_PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 python \
    "$HOME/.local/bin/python3.12"; do
    [ -n "$candidate" ] || continue
    found=$(command -v "$candidate" 2>/dev/null) || continue
    if "$found" -I -c "$fit" 2>/dev/null; then
        python=$found
        break
    fi
done
if [ -z "$python" ]; then
    cat >&2 <<'END'
setup: no Python of 3.11 or newer was found that can make environments. Get one, and start again:
    Debian, Ubuntu    sudo apt install python3 python3-venv
    Fedora            sudo dnf install python3
    Arch              sudo pacman -S python
    macOS             brew install python, or the installer of python.org
    without rights    uv python install 3.12     (uv: https://docs.astral.sh/uv)
A Python that lies elsewhere is named by PADDOCK_PYTHON=/path/to/python3.
END
    exit 1
fi

# What is installed is also what installs: the last --from wins, else the checkout in which this file lies.
from=
after=
moment=
for word in "$@"; do
    [ "$after" = 1 ] && from=$word
    after=
    case $word in
    --from) after=1 ;;
    --from=*) from=${word#--from=} ;;
    esac
done
if [ -z "$from" ] && [ -f "$here/pyproject.toml" ]; then
    from=$here
    set -- --from "$here" "$@"
fi
if [ -d "$from/src/paddock/install" ]; then
    sources=$(CDPATH='' cd -- "$from/src" && pwd)
elif [ -f "$from" ]; then
    sources=$(CDPATH='' cd -- "$(dirname -- "$from")" && pwd)/$(basename -- "$from")
elif [ -d "$here/src/paddock/install" ]; then
    sources=$here/src
elif [ -n "$from" ]; then
    # A package by name, and nothing of paddock here yet: its wheel, fetched by the pip of an environment of a moment.
    moment=$(mktemp -d)
    trap 'rm -rf "$moment"' EXIT
    trap 'exit 130' INT TERM
    echo "Downloading $from, to install it from there."
    "$python" -I -m venv "$moment/venv"
    "$moment/venv/bin/python" -I -m pip --quiet download --no-deps --only-binary=:all: -d "$moment" "$from"
    sources=$(echo "$moment"/*.whl)
else
    echo "setup: name what is to be installed: sh setup.sh --from WHEEL, or --from PACKAGE." >&2
    exit 2
fi

export PYTHONPATH="$sources" PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
[ -n "$moment" ] || exec "$python" -P -m paddock.install "$@"
"$python" -P -m paddock.install "$@"
