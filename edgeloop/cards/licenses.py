"""Licences as cards state them: that of the weights, and whether pictures of a data set may be shown."""

from collections.abc import Collection
from dataclasses import dataclass

from edgeloop.records import StartingWeights

LINKS = {
    "sla0044": "https://github.com/STMicroelectronics/stm32ai-modelzoo/tree/main/image_classification/LICENSE.md",
}
REDISTRIBUTABLE = ("apache-", "mit", "bsd", "cc0-", "cc-by-", "pddl", "odc-by", "public-domain", "unlicense")
NOT_REDISTRIBUTABLE = ("-nc", "-nd")
DERIVABLE = (*REDISTRIBUTABLE, "sla0044", "odbl", "gpl-", "lgpl-", "agpl-", "openrail", "creativeml-openrail")
"""Licenses under which what was derived from a work may be handed on, each on its own conditions."""
NOT_DERIVABLE = ("-nd", "no-redistribution", "all-rights-reserved", "proprietary", "confidential")
HUB_LICENSES = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "unlicense", "pddl", "odc-by", "odbl"}
    | {f"cc-by{kind}-{version}" for kind in ("", "-sa", "-nc", "-nc-sa", "-nd", "-nc-nd") for version in ("2.0", "3.0", "4.0")}
)
"""Identifiers that the Hugging Face hub knows; any other license is `other` with its name."""


@dataclass(frozen=True)
class ModelLicense:
    """The `license` fields of a Hugging Face card."""

    license: str
    name: str | None
    link: str | None
    reason: str
    """Where it comes from, as a sentence."""


def model_license(start: StartingWeights, dataset: str | None) -> ModelLicense:
    """The license of a model: that of the weights that it started from, else that of the data it was trained on."""
    if start.license is not None:
        return _stated(
            start.license, f"The training started from weights under {start.license}; the trained weights are derived from them."
        )
    begun = "random weights" if start.kind == "scratch" else "weights that name no license of their own"
    if dataset is not None and dataset.lower() in HUB_LICENSES:
        return _stated(dataset, f"Trained from {begun} on pictures under {dataset}; the card takes over that license.")
    reason = f"Trained from {begun} on pictures whose license is not a standard one; see the terms of the data set."
    return ModelLicense("other", "terms-of-the-data-set", None, reason)


def may_show(dataset: str | None) -> bool:
    """Whether pictures of a data set under that license may be published again (in a card)."""
    name = (dataset or "").lower()
    return name.startswith(REDISTRIBUTABLE) and not any(part in name for part in NOT_REDISTRIBUTABLE)


def holds_back(start: StartingWeights, dataset: str | None, permitted: Collection[str] = ()) -> str:
    """Why a model may not be handed on, as a sentence; empty where nothing is known that forbids it.

    What is derived from weights needs a license that is known to allow that; of a data set only one that is known to
    forbid it counts. `permitted` names licenses that somebody has read, and found to allow it.
    """
    own, of_data, read = (start.license or "").lower(), (dataset or "").lower(), {name.lower() for name in permitted}
    if own and own not in read and (not own.startswith(DERIVABLE) or _forbids(own)):
        return (
            f"The weights that the training started from are under {own}, which is not known to allow that derived weights are handed on."
        )
    if of_data and of_data not in read and _forbids(of_data):
        return f"The pictures are under {of_data}, which forbids to hand on what is derived from them."
    return ""


def needs_attribution(dataset: str | None) -> bool:
    """Whether the license asks to name the authors of the pictures."""
    return (dataset or "").lower().startswith(("cc-by", "odc-by"))


def _forbids(name: str) -> bool:
    return any(part in name for part in NOT_DERIVABLE)


def _stated(name: str, reason: str) -> ModelLicense:
    known = name.lower()
    if known in HUB_LICENSES:
        return ModelLicense(known, None, None, reason)
    return ModelLicense("other", known, LINKS.get(known), reason)
