"""The phases of one variant, written into params.yaml."""

from copy import deepcopy
from typing import Any, Literal

from edgeloop.config.training import Phase
from edgeloop.config.variants import Variant
from edgeloop.errors import ConfigError
from edgeloop.workspace import Workspace
from edgeloop.yamlfile import change_yaml


def write_phases(workspace: Workspace, variant: Variant, phases: list[Phase], final: Literal["best_epoch", "refit"]) -> None:
    """State the phases of this variant, and which weights are kept, among its `overrides`; the rest of the file stays as it is.

    Raises:
        ConfigError: the data set shares its `train` with another one (a YAML alias), which would change, too.
    """
    stated = {"phases": [phase.model_dump(exclude_defaults=True) for phase in phases], "final": final}

    def change(tree: Any) -> None:
        datasets = tree["datasets"]
        train = datasets[variant.dataset].setdefault("train", deepcopy(tree.get("defaults", {}).get("train", {})))
        sharing = [name for name, other in datasets.items() if name != variant.dataset and other.get("train") is train]
        if sharing:
            raise ConfigError(
                f"The data sets {variant.dataset} and {', '.join(sharing)} share their training settings (a YAML alias).",
                f"Write `train` of {variant.dataset} out in params.yaml, and run the command again.",
            )
        overrides = train.setdefault("overrides", [])
        where = {"network": variant.network, "resolution": variant.resolution}
        for override in overrides:
            if {key: override.get(key) for key in where} == where:
                override["set"].update(stated)
                return
        overrides.append(where | {"set": stated})

    change_yaml(workspace.params, change)
