"""Which way of conversion is taken: plain where it is as good, and what brings a hardened model back to its float model."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hardened import PREPROCESSING, classifier, harden, pictures

from edgeloop.errors import ModelError
from edgeloop.quantization import tune
from edgeloop.quantization.calibration import Sample
from edgeloop.quantization.choose import BIAS_CORRECTION, EQUALIZATION, FINE_TUNING, Applied, Judged, Made, search, sign_test
from edgeloop.quantization.convert import convert_network, to_int8
from edgeloop.quantization.explain import explain
from edgeloop.records import Conversion, ConversionTrial, TfliteModel
from edgeloop.tflite.formats import FILES, Format

if TYPE_CHECKING:
    import keras

LEAST: dict[Format, float] = {"int8 per-channel": 0.95, "int8 per-tensor": 0.93}
"""Of a network of random weights, whose answers are close to each other."""
SAMPLE = Sample(pictures(48), pictures(400, 21), "pictures")


@pytest.fixture(scope="module", autouse=True)
def short() -> Iterator[None]:
    """Fine-tuning has tests of its own; here it is only one more way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tune, "STEPS", 10)
        yield


def converted(model: "keras.Model", folder: Path) -> dict[Format, Conversion]:
    return convert_network(model, SAMPLE, PREPROCESSING, folder, lambda _: None)


@pytest.fixture(scope="module")
def hardened() -> "keras.Model":
    model = classifier()
    harden(model)
    return model


@pytest.fixture(scope="module")
def repaired(hardened: "keras.Model", tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Format, Conversion]]:
    folder = tmp_path_factory.mktemp("repaired")
    return folder, converted(hardened, folder)


@pytest.mark.thorough
def test_a_hardened_model_is_brought_back_to_float(repaired: tuple[Path, dict[Format, Conversion]]) -> None:
    for kind, least in LEAST.items():
        made = repaired[1][kind]
        assert made.trials[0].agreement < 0.9, "plain conversion loses 10 points"
        assert EQUALIZATION in made.applied
        assert made.kept is not None and made.kept.agreement >= least, kind


@pytest.mark.long
def test_equal_models_and_images_give_equal_bytes(
    hardened: "keras.Model", repaired: tuple[Path, dict[Format, Conversion]], tmp_path: Path
) -> None:
    assert converted(hardened, tmp_path) == repaired[1]
    for stem in FILES.values():
        assert (tmp_path / f"{stem}.tflite").read_bytes() == (repaired[0] / f"{stem}.tflite").read_bytes(), stem


@pytest.mark.thorough
def test_a_good_model_keeps_plain_conversion(tmp_path: Path) -> None:
    model = classifier()
    for kind, made in converted(model, tmp_path).items():
        plain = to_int8(model, SAMPLE.calibration, PREPROCESSING, per_channel=kind == "int8 per-channel")
        assert made.applied == ()
        assert (tmp_path / f"{FILES[kind]}.tflite").read_bytes() == plain


@pytest.mark.thorough
def test_the_record_names_the_ways_that_were_tried_and_the_worst_layers(repaired: tuple[Path, dict[Format, Conversion]]) -> None:
    made = repaired[1]["int8 per-channel"]
    assert {"dw_1", "dw_2", "dw_3", "branch", "head"} <= {layer.layer for layer in made.layers}
    model = TfliteModel(format="int8 per-channel", file="per_channel.tflite", sha256="", bytes=1, weight_bytes=1, conversion=made)
    text = explain(model)
    for words in ("plain", EQUALIZATION, "pictures", made.worst_layers(1)[0].layer, "nearer to float than those of plain conversion"):
        assert words in text


def found(*ways: tuple[int, float] | None) -> tuple[Applied, int, str]:
    """What is kept, how many are tried, and why, where plain conversion and the other ways have so many of 100 classes right and are so
    far from float; None: refused.
    """
    following = iter(ways)

    def judge(applied: Applied) -> Judged:
        if (way := next(following)) is None:
            raise ModelError("LiteRT refuses it.", "")
        trial = ConversionTrial(applied=applied, agreement=way[0] / 100, sqnr_db=20.0)
        return Judged(Made(b"", b""), trial, np.full(100, way[1]))

    kept, trials, why = search(judge, 0.99, judges_apart=True)
    return kept.trial.applied, len(trials), why


@pytest.mark.parametrize(
    ("ways", "applied"),
    [
        ([(99, 0.01), (99, 0.01)], ()),
        ([(99, 0.02), (99, 0.01)], (BIAS_CORRECTION,)),
        ([(99, 0.02), (98, 0.01)], ()),
        ([(99, 0.02), None], ()),
        ([(80, 0.02), (80, 0.02), (99, 0.01)], (EQUALIZATION,)),
        ([(80, 0.02), (99, 0.01)], (BIAS_CORRECTION,)),
        ([(80, 0.02), (85, 0.01), (85, 0.01), (85, 0.01), (85, 0.01)], (BIAS_CORRECTION,)),
        ([(80, 0.02), (79, 0.01), (79, 0.01), (79, 0.01), (79, 0.01)], ()),
        ([(80, 0.02), (80, 0.02), (85, 0.01), (84, 0.015), (90, 0.001)], (EQUALIZATION, FINE_TUNING)),
        ([(80, 0.02), None, None, None, (90, 0.001)], (FINE_TUNING,)),
    ],
)
def test_another_way_must_be_clearly_nearer_and_the_cheaper_of_equals_is_taken(
    ways: list[tuple[int, float] | None], applied: Applied
) -> None:
    kept, tried, why = found(*ways)
    assert kept == applied
    assert tried == len([way for way in ways if way]), "nothing but bias correction is tried after enough"
    assert why.count("cannot be tried: LiteRT refuses it.") == ways.count(None)


def test_the_sign_test_is_the_binomial_one() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(7, 0) == pytest.approx(1 / 128)
    assert sign_test(3, 1) == pytest.approx(5 / 16)
