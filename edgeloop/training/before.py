"""What can be known of a training before it: whether its weights are there, whether its phases suit them, and what is odd about them."""

from collections.abc import Iterator, Sequence

from edgeloop.augmentation import Color
from edgeloop.config import Params, Phase
from edgeloop.errors import ConfigError, InputError
from edgeloop.training.start import Backbone, cached_backbone
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import read_yaml


def check_training(workspace: Workspace, params: Params, name: str) -> list[str]:
    """See that a variant can be trained once its images are there; returns what it downloads, and what is odd about its phases.

    Raises:
        InputError: there are no such starting weights.
        ConfigError: a phase does not suit them.
    """
    variant = params.variant(name)
    file, is_made = workspace.root / variant.start, variant.start in params.models
    if not is_made and not file.is_file():
        raise InputError(f"{name} starts from {variant.start}, which is not there.", "Correct `start` of its row in params.yaml.")
    backbone = read_yaml(file, Backbone) if not is_made and file.suffix in (".yaml", ".yml") else None
    phases = params.train_settings(variant).phases or []
    check_phases(phases, name, fresh=backbone is not None and backbone.kind == "scratch")
    absent = backbone and backbone.address and not cached_backbone(workspace, backbone).is_file()
    downloads = [f"train@{name} downloads its starting weights: {backbone.address}"] if backbone and absent else []
    return [*downloads, *_odd(phases, name), *_without_effect(params, name)]


def check_phases(phases: Sequence[Phase], name: str, *, fresh: bool) -> None:
    """See that the phases of a variant suit weights that are drawn (`fresh`) or trained.

    Raises:
        ConfigError: they do not.
    """
    modes = [phase.mode for phase in phases]
    if fresh and modes[:1] == ["head"]:
        raise ConfigError(
            f"{name} starts from fresh weights, of which training the last layer alone makes nothing.",
            "Give the variant a `start` with trained weights, or begin its phases with mode scratch.",
        )
    if "scratch" in modes[1:] or (not fresh and "scratch" in modes):
        raise ConfigError(f"{name}: a phase of mode scratch would throw away trained weights.", "Use mode full for it.")


def _odd(phases: Sequence[Phase], name: str) -> Iterator[str]:
    for number, phase in enumerate(phases, 1):
        if phase.warmup_epochs >= phase.epochs:
            yield f"{name}: phase {number} warms up for {phase.warmup_epochs} epochs and has {phase.epochs}: its rate hardly comes up"


def _without_effect(params: Params, name: str) -> Iterator[str]:
    """What of the stated augmentation does nothing to grey images."""
    variant = params.variant(name)
    jitters = [op for op in params.train_settings(variant).augmentation or () if isinstance(op, Color)]
    if params.dataset(variant.dataset).prepare.color == "grey" and any(op.saturation or op.hue for op in jitters):
        yield f"{name}: its images are grey, to which saturation and hue of the augmentation do nothing"
