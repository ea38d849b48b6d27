"""The entries of a variant's history: which version became champion when, by whom, and why. None is ever changed."""

from typing import Literal

from edgeloop.console import in_one_line
from edgeloop.records.base import Record
from edgeloop.records.gates import DecisionRecord


class LedgerEntry(Record):
    """One change of the champion."""

    kind: Literal["ledger"] = "ledger"
    number: int
    """From 1 on, without gaps."""
    before_sha256: str | None
    """The digest of the entry before, as it is stored; null for the first."""
    variant: str
    action: Literal["promote", "rollback"]
    version: str
    """Champion from here on."""
    model_sha256: str
    """Of its int8 per-channel model."""
    answers_sha256: str
    """Of its answers on the images of `test`, stored beside the history."""
    since_utc: str
    """By the clock of the machine that wrote it, but never before the entry before."""
    revision: str | None
    """The git commit that holds it; null where it was promoted outside of git, or before its dvc.lock was committed."""
    decision: DecisionRecord | None
    """Null for a roll-back."""
    by: str | None
    """Who overrode or rolled back; null where the rules decided."""
    reason: str
    token: str
    """Random: by it a writer knows its own entry again."""

    def in_words(self) -> str:
        """One line."""
        who = f" by {self.by}" if self.by else ""
        return in_one_line(f"{self.number:4d}  {self.since_utc}  {self.version}  {self.action}{who}: {self.reason}")
