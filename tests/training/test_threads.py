"""The weights depend on the number of threads that the recipe states, and not on how many cores there are."""

import functools
import os
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
from variant_in_miniature import VARIANT, project, write_params

from edgeloop.config import TrainSettings
from edgeloop.cpus import usable_cpus
from edgeloop.errors import ConfigError
from edgeloop.framework import THREADS, load_tensorflow, running_threads
from edgeloop.training.train import train

DEADLINE_S = 240


def trained_on(cores: Collection[int], folder: Path, threads: int) -> bytes:
    """The model file of a training by the command line that may run on these cores only."""
    workspace = project(folder)
    params = write_params(workspace, threads=threads)
    subprocess.run(
        (sys.executable, "-m", "edgeloop", "train", VARIANT),
        cwd=folder,
        preexec_fn=functools.partial(os.sched_setaffinity, 0, cores),  # nothing else runs in the child yet
        timeout=DEADLINE_S,
        check=True,
    )
    return params.variant(VARIANT).paths(workspace).model.read_bytes()


@pytest.mark.thorough
@pytest.mark.skipif(usable_cpus() < 2, reason="there is one core")
def test_equal_numbers_of_threads_give_equal_bytes_on_one_core_and_on_all(tmp_path: Path) -> None:
    every = os.sched_getaffinity(0)
    on_one = trained_on({min(every)}, tmp_path / "one", threads=3)
    assert trained_on(every, tmp_path / "all", threads=3) == on_one
    assert trained_on(every, tmp_path / "other", threads=1) != on_one, "threads are not heeded at all"


def test_a_number_of_threads_is_settled_once_in_a_process(tmp_path: Path) -> None:
    load_tensorflow()
    other = running_threads() + 1
    workspace = project(tmp_path)
    params = write_params(workspace, threads=other)
    with pytest.raises(ConfigError, match=rf"not with threads: {other}") as failure:
        train(workspace, params, VARIANT)
    assert "edgeloop train VARIANT" in str(failure.value)


@pytest.mark.thorough
def test_tensorflow_takes_the_stated_threads_and_not_one_a_core() -> None:
    assert TrainSettings().threads == THREADS
    script = "from edgeloop.framework import load_tensorflow, running_threads; load_tensorflow({}); print(running_threads())"
    for asked, found in (("", THREADS), ("3", 3)):
        command = [sys.executable, "-c", script.format(asked)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=True)
        assert done.stdout.strip() == str(found)
