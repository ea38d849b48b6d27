"""A training that fits a time: a share of its recipe's epochs, stated in params.yaml."""

from edgeloop.config import write_phases
from edgeloop.errors import ConfigError
from edgeloop.times import in_words
from edgeloop.training.estimate import Estimate
from edgeloop.training.training import Training


def fit_into(training: Training, found: Estimate, seconds: float) -> str:
    """Write phases into params.yaml that take at most `seconds`, where the recipe takes longer; returns what was done.

    Raises:
        ConfigError: not even an epoch of each phase fits.
    """
    variant, recipe = training.variant, training.recipe
    if found.total_s <= seconds:
        return f"It fits into {in_words(seconds)} as it is: params.yaml stays."
    shorter = recipe.scaled(found.share_within(seconds))
    least = found.once_s + found.epochs_s * len(recipe.phases) / recipe.epochs
    if seconds < least:
        raise ConfigError(
            f"{variant.id} cannot be trained in {in_words(seconds)}: an epoch of each phase alone takes {in_words(least)}.",
            "Give it more time, a smaller resolution, or final: best_epoch, which does not train the last phase twice.",
        )
    write_phases(training.workspace, variant, shorter.phases, shorter.final)
    return (
        f"params.yaml now states {shorter.epochs} of the {recipe.epochs} epochs for {variant.id} (`overrides`): a shorter training is "
        f"a worse one. Next: dvc repro train@{variant.id}"
    )
