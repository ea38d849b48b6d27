#!/bin/sh
# A part of the tests: `short` touches everything once, and lint and types belong to it; `rest` and `long` are the others.
# When exactly these files have passed before, it says so and ends; FORCE=1 runs them again.
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"
# Where it is set, each of the thousand processes of a run compiles the sources anew.
unset PYTHONDONTWRITEBYTECODE
part="$1"
shift
case "$part" in
    short) marked="not thorough and not long" ;;
    rest) marked="thorough and not long" ;;
    long) marked="long" ;;
    *) echo "test: no part '$part' (short, rest, long)" >&2; exit 2 ;;
esac

state() {
    git ls-files -z --cached --others --exclude-standard | sort -z | xargs -0 sha256sum 2>/dev/null
    python --version
    ls -d ../shared 2>/dev/null || true
}
digest="$(state | sha256sum)"
if [ -z "${FORCE:-}" ] && [ -z "${CI:-}" ] && [ "$(cat ".venv/tested-$part" 2>/dev/null)" = "$digest" ]; then
    echo "test: these very files have passed; FORCE=1 runs them again"
    exit 0
fi
types=
if [ "$part" = short ]; then
    ruff check .
    ruff format --check --quiet . || { echo "test: run 'make format'" >&2; exit 1; }
    # Types keep one core busy: beside the tests, many of which wait for others.
    mypy >.venv/mypy.log 2>&1 &
    types=$!
    trap 'kill $types 2>/dev/null || true' EXIT
fi
# One more than there are cores: many tests wait for services that start, or for a deadline.
python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "$marked" --durations 15 --durations-min 5 \
    --junitxml ".venv/tests-$part.xml" "$@"
[ -z "$types" ] || wait "$types" || { cat .venv/mypy.log; exit 1; }
# With a limit (EDGELOOP_TESTS_UNTIL, seconds since 1970) some may have been left out.
[ -n "${EDGELOOP_TESTS_UNTIL:-}" ] || printf '%s' "$digest" >".venv/tested-$part"
