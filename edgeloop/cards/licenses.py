"""Licences as cards state them: that of the weights, and whether pictures of a data set may be shown."""

from dataclasses import dataclass

from edgeloop.records import StartingWeights

LINKS = {
    "sla0044": "https://github.com/STMicroelectronics/stm32ai-modelzoo/tree/main/image_classification/LICENSE.md",
}
REDISTRIBUTABLE = ("apache-", "mit", "bsd", "cc0-", "cc-by-", "pddl", "odc-by", "public-domain", "unlicense")
NOT_REDISTRIBUTABLE = ("-nc", "-nd")
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


def needs_attribution(dataset: str | None) -> bool:
    """Whether the license asks to name the authors of the pictures."""
    return (dataset or "").lower().startswith(("cc-by", "odc-by"))


def _stated(name: str, reason: str) -> ModelLicense:
    known = name.lower()
    if known in HUB_LICENSES:
        return ModelLicense(known, None, None, reason)
    return ModelLicense("other", known, LINKS.get(known), reason)
