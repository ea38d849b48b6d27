#!/bin/sh
# Make .venv from the committed lock. Does nothing when it is there already for this very lock.
set -eu
cd "$(dirname "$0")/.."

fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }

usable() { "$1" -c 'import sys; raise SystemExit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if usable "$candidate"; then echo "$candidate"; return; fi
    done
    fail "No Python 3.11, 3.12 or 3.13 found." "Install one (Debian, Ubuntu: apt install python3 python3-venv), or name it: make PYTHON=/path/to/python3.12"
}

make_venv() {
    if "$1" -m venv .venv 2>.venv.log; then rm -f .venv.log; return; fi
    # Debian's Python comes without ensurepip. Its own pip, where there is one, can put a pip into the environment.
    rm -rf .venv
    if "$1" -m pip --version >/dev/null 2>&1 && "$1" -m venv --without-pip .venv 2>>.venv.log &&
        "$1" -m pip --python .venv/bin/python install --quiet pip 2>>.venv.log; then rm -f .venv.log; return; fi
    rm -rf .venv
    package="python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
        "$1" -m venv .venv && rm -f .venv.log && return
    fi
    fail "$(cat .venv.log)" "Ask for the package: apt install $package   (or name another Python: make PYTHON=...)"
}

wanted="$(cat constraints.txt pyproject.toml | sha256sum)  $(pwd)"
if [ -x .venv/bin/edgeloop ] && [ "$(cat .venv/lock 2>/dev/null)" = "$wanted" ]; then exit 0; fi

if ! { [ -x .venv/bin/python ] && usable .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    python="$(find_python)"
    rm -rf .venv
    make_venv "$python"
fi
echo "setup: installing from constraints.txt (about 250 packages, 3.5 GB; some minutes)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
    --no-compile --no-deps --require-hashes -r constraints.txt 2>.venv/install.log ||
    { tail -n 20 .venv/install.log >&2; fail "The packages could not be installed." "Is the package index reachable? The whole log: .venv/install.log"; }
.venv/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
    --no-deps --no-build-isolation --editable . 2>>.venv/install.log ||
    { tail -n 20 .venv/install.log >&2; fail "edgeloop itself could not be installed." "The whole log: .venv/install.log"; }
# pip compiles on one core. Files that are templates do not compile; nothing imports them.
.venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 || true
printf '%s' "$wanted" >.venv/lock
