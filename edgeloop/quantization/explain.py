"""How the int8 files of a model were made, and where they lose most: text for a terminal."""

from edgeloop.records import Conversion, ConversionTrial, TfliteModel
from edgeloop.tflite.inspect import aligned

WORST_LAYERS = 8


def explain(model: TfliteModel) -> str:
    """The ways that were tried and the layers with the lowest signal to quantization noise; empty for the float file."""
    if (made := model.conversion) is None:
        return ""
    return "\n\n".join(part for part in (f"{model.file}: {made.in_words()}\n{made.why}", _trials(made), _worst(made)) if part)


def _trials(made: Conversion) -> str:
    rows = [(_words(trial), f"{trial.agreement:.2%}", decibels(trial.sqnr_db)) for trial in made.trials]
    return "\n".join(aligned([("conversion", "agrees with float", "scores, dB"), *rows])) if rows else ""


def _words(trial: ConversionTrial) -> str:
    return " and ".join(trial.applied) or "plain"


def _worst(made: Conversion) -> str:
    rows = [(layer.layer, layer.operator, decibels(layer.sqnr_db)) for layer in made.worst_layers(WORST_LAYERS)]
    return "\n".join(aligned([("worst layers", "operator", "signal to noise, dB"), *rows])) if rows else ""


def decibels(value: float | None) -> str:
    """A ratio in dB; none is stated where there is no noise."""
    return "no error" if value is None else f"{value:.1f}"
