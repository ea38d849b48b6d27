"""Which networks there are: Fd-MobileNet (fast downsampling, arXiv 1802.03750) and ST FdMobileNet v1.

A new network of this family is one more entry. Names are those of params.yaml.
"""

from edgeloop.errors import InputError
from edgeloop.networks.separable import Block, Shape
from edgeloop.yamlfile import near_match

# Channels at width 1.0 and stride of the first convolution and of each block (arXiv 1802.03750, table 1).
_STEM = 32
_BLOCKS = ((64, 2), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 1))


def _scaled(alphas: tuple[float, ...]) -> Shape:
    """The shape whose i-th layer (the stem is the first) has its width multiplied by `alphas[i]`."""
    stem, *rest = alphas
    blocks = tuple(Block(int(channels * alpha), stride) for (channels, stride), alpha in zip(_BLOCKS, rest, strict=True))
    return Shape(int(_STEM * stem), blocks)


NETWORKS: dict[str, Shape] = {
    **{f"fdmobilenet_{alpha}": _scaled((alpha,) * 12) for alpha in (0.25, 0.5, 0.75, 1.0)},
    # Wider early blocks, as published in the STM32 model zoo.
    "st_fdmobilenet_v1": _scaled((0.5, 0.75, 0.625, 0.5, 0.375, *(0.25,) * 7)),
}


def network(name: str) -> Shape:
    """The shape of the network of that name.

    Raises:
        InputError: there is none; the message names the near match.
    """
    if name not in NETWORKS:
        raise InputError(f"There is no network '{name}'{near_match(name, NETWORKS)}.")
    return NETWORKS[name]
