# make demo    the whole loop on drawn flowers, watched in Prefect's UI, published to a local S3 server
# make test    lint, types, and tests that touch every part once; make test-rest: the others; make test-all: those of minutes, too
# Both set up .venv from the committed lock first. PYTHON=python3.12 names the interpreter to make it with.

.PHONY: demo test test-rest test-long test-all setup format lock down clean
export PYTHON

setup:
	@sh scripts/setup.sh

demo: setup
	@.venv/bin/edgeloop up
	@.venv/bin/edgeloop run sample all all --publish

test: setup
	@sh scripts/test.sh short $(ARGS)

test-rest: setup
	@sh scripts/test.sh rest $(ARGS)

test-long: setup
	@sh scripts/test.sh long $(ARGS)

test-all: test test-rest test-long

format: setup
	@.venv/bin/ruff check --fix --quiet .
	@.venv/bin/ruff format --quiet .

lock:
	@sh scripts/lock.sh

down: setup
	@.venv/bin/edgeloop down

# What can be made again: the environment, caches, data and models. DVC's cache stays.
clean: down
	rm -rf .venv .edgeloop build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
