#!/bin/sh
# Lint, types and all tests. When exactly these files have passed before, it says so and ends; FORCE=1 runs them again.
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

state() {
    git ls-files -z --cached --others --exclude-standard | sort -z | xargs -0 sha256sum 2>/dev/null
    python --version
    ls -d ../shared 2>/dev/null || true
}
digest="$(state | sha256sum)"
if [ -z "${FORCE:-}" ] && [ -z "${CI:-}" ] && [ "$(cat .venv/tested 2>/dev/null)" = "$digest" ]; then
    echo "test: these very files have passed; make test FORCE=1 runs them again"
    exit 0
fi
ruff check .
ruff format --check --quiet . || { echo "test: run 'make format'" >&2; exit 1; }
mypy
# One more than there are cores: many tests wait for services that start, or for a deadline.
python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 25 --durations-min 5 "$@"
printf '%s' "$digest" >.venv/tested
