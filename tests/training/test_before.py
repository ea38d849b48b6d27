"""What is said of a training before it begins."""

from pathlib import Path

from variant_in_miniature import DATASET, VARIANT, write_params

from edgeloop.training.before import check_training
from edgeloop.workspace import Workspace

JITTER = [{"op": "color", "contrast": 0.2, "saturation": 0.3}]


def test_saturation_does_nothing_to_grey_images_and_that_is_said(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.backbones.mkdir(parents=True)
    (workspace.backbones / "scratch.yaml").write_text("kind: scratch\n", encoding="utf-8")
    params = write_params(workspace, augmentation=JITTER)
    assert check_training(workspace, params, VARIANT) == []
    declared = params.datasets[DATASET]
    grey = declared.model_copy(update={"prepare": declared.prepare.model_copy(update={"color": "grey"})})
    (said,) = check_training(workspace, params.model_copy(update={"datasets": {DATASET: grey}}), VARIANT)
    assert "its images are grey, to which saturation and hue of the augmentation do nothing" in said
