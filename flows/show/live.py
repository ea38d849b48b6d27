"""A table that changes while one looks at it: a thread tells the server, so that nothing waits for it."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any
from uuid import UUID

from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from flows.show.best_effort import best_effort

Row = dict[str, Any]
EVERY_S = 1.0
END_S = 30.0


class LiveTable:
    """A table artifact that shows the latest rows, at most a second late."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._rows: Callable[[], list[Row]] | None = None
        self._words: Callable[[Sequence[Row]], str] | None = None
        self._told: list[Row] | None = None
        self._artifact: UUID | None = None
        self._ended = threading.Event()

    @property
    def is_shown(self) -> bool:
        """Whether it has anything to show."""
        return self._rows is not None

    def show(self, rows: Callable[[], list[Row]], words: Callable[[Sequence[Row]], str]) -> None:
        """From now on show these rows, computed anew whenever the server is told, with a line above that sums them up."""
        self._words, self._rows = words, rows

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Tell the server of changes until this ends, and then of the last one."""
        thread = threading.Thread(target=copy_context().run, args=(self._keep,), name=f"table {self._key}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(END_S)

    def _keep(self) -> None:
        while True:
            is_last = self._ended.wait(EVERY_S)
            self._tell()
            if is_last:
                return

    def _tell(self) -> None:
        """Tell the server what it has not been told yet."""
        if self._rows is None or self._words is None or (rows := self._rows()) == self._told:
            return
        words = self._words(rows)
        with best_effort(f"the table '{self._key}'"):
            if self._artifact is None:
                made = create_table_artifact(key=self._key, table=rows, description=words)
                self._artifact = made if isinstance(made, UUID) else None
            else:
                with get_client(sync_client=True) as client:
                    client.update_artifact(self._artifact, ArtifactUpdate(data=json.dumps(rows), description=words))
            self._told = rows
