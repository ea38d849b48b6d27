"""Entries of a history of champions, as tests add them."""

import hashlib

from edgeloop.records import LedgerEntry, Provenance
from edgeloop.store.ledger import History, append
from edgeloop.store.target import Target


def entry(variant: str, version: str, action: str = "promote") -> LedgerEntry:
    empty = dict.fromkeys(Provenance.model_fields)
    known = {"time_utc": "", "command": "", "host": "", "cpu": "", "cpus": 1, "tools": {}, "params": {}, "duration_s": 0}
    return LedgerEntry.model_validate(
        {
            "provenance": empty | known,
            "number": 0,
            "before_sha256": None,
            "variant": variant,
            "action": action,
            "version": version,
            "model_sha256": hashlib.sha256(version.encode()).hexdigest(),
            "answers_sha256": "",
            "since_utc": "",
            "revision": None,
            "decision": None,
            "by": None,
            "reason": "a test",
            "token": "",
        }
    )


def enter(target: Target, variant: str, version: str, action: str = "promote") -> History:
    """Add an entry; returns the history with it."""
    return append(target, variant, lambda history: history.placed(entry(variant, version, action)))[0]
