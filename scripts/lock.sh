#!/bin/sh
# Write constraints.txt anew from pyproject.toml: one lock for Python 3.11 to 3.13, with hashes, without index addresses.
set -eu
cd "$(dirname "$0")/.."
python3 -m venv .venv-lock
trap 'rm -rf .venv-lock' EXIT
.venv-lock/bin/pip install --quiet uv
.venv-lock/bin/uv pip compile pyproject.toml --extra dev --extra flash --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --quiet --output-file constraints.txt "$@"
