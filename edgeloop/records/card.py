"""The record of a model card."""

from typing import Literal

from edgeloop.records.base import Record
from edgeloop.resolution import AnyResolution

FAMILY_CARD = "family.json"
"""Its record, the last file of one that is written or published."""


class FamilyCardRecord(Record):
    """A card over all variants of a network, or of its family, and the records it was made from."""

    kind: Literal["family-card"] = "family-card"
    name: str
    networks: list[str]
    variants: dict[str, dict[str, str]]
    """By variant: SHA-256 of each record that the card states, by file name."""
    files: dict[str, str]
    """SHA-256 of each file of the card."""


class CardRecord(Record):
    """A model card and the records it was made from."""

    kind: Literal["card"] = "card"
    dataset: str
    network: str
    resolution: AnyResolution
    records: dict[str, str]
    """SHA-256 of each record that the card states, by file name."""
    files: dict[str, str]
    """SHA-256 of each file of the card."""
