"""The history of a training: `history.csv`, a row for each epoch."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from edgeloop.errors import InputError
from edgeloop.files import atomic_path

HISTORY = (
    "fit", "phase", "mode", "epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "learning_rate",
)  # fmt: skip
"""Columns of history.csv: what is equal in every training of equal inputs."""


def write_history(rows: list[dict[str, Any]], path: Path) -> None:
    """Write a row for each epoch; what a fit does not know (accuracy on images that it learns from) is empty."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HISTORY)
        writer.writerows([f"{value:.6g}" if isinstance(value, float) else value for value in map(row.__getitem__, HISTORY)] for row in rows)


def read_history(path: Path) -> pd.DataFrame:
    """The rows, with the columns of `HISTORY`.

    Raises:
        InputError: the file is absent, or is no history of this version of edgeloop.
    """
    try:
        history = pd.read_csv(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.", "Train first: dvc repro lists the stage.") from None
    except ValueError as error:
        raise InputError(f"{path} is not a training history: {error}", "Train again.") from None
    if missing := [name for name in HISTORY if name not in history.columns]:
        raise InputError(f"{path} has no column {', '.join(missing)}.", "Train again: dvc repro train.")
    return history
