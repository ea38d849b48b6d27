"""Which networks there are. A new one of these families is one more entry here, and its name in `Network` of config/section.py."""

from edgeloop.errors import InputError
from edgeloop.networks.build import Body
from edgeloop.networks.inverted import Bottleneck, Residual
from edgeloop.networks.separable import Block, Shape
from edgeloop.yamlfile import near_match

# Channels at width 1.0 and stride of each block; the first convolution has 32 channels in all of them.
_STEM = 32
# Fd-MobileNet (fast downsampling): arXiv 1802.03750, table 1.
_FAST = ((64, 2), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 1))
# MobileNet V1: A. Howard et al., arXiv 1704.04861, table 1.
_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
# MobileNet V2: arXiv 1801.04381, table 2. Expansion, channels, how many blocks, stride of the first of them.
_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_V2_FEATURES = 1280
"""At every width up to 1."""


def _fast(alphas: tuple[float, ...]) -> Shape:
    """The shape whose i-th layer (the stem is the first) has its width multiplied by `alphas[i]`."""
    stem, *rest = alphas
    blocks = tuple(Block(int(channels * alpha), stride) for (channels, stride), alpha in zip(_FAST, rest, strict=True))
    return Shape(int(_STEM * stem), blocks)


def _v1(alpha: float) -> Shape:
    blocks = tuple(Block(int(channels * alpha), stride) for channels, stride in _V1)
    return Shape(int(_STEM * alpha), blocks, activates_depthwise=True, largest=6.0)


def _v2(alpha: float) -> Residual:
    blocks = [
        Bottleneck(expansion, _of_eights(channels * alpha), stride if place == 0 else 1)
        for expansion, channels, count, stride in _V2
        for place in range(count)
    ]
    return Residual(_of_eights(_STEM * alpha), tuple(blocks), _V2_FEATURES)


def _of_eights(channels: float) -> int:
    """The nearest multiple of 8, the next one where that would take more than a tenth away (as the authors' code has it)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


NETWORKS: dict[str, Body] = {
    **{f"fdmobilenet_{alpha}": _fast((alpha,) * 12) for alpha in (0.25, 0.5, 0.75, 1.0)},
    # Wider early blocks, as published in the STM32 model zoo.
    "st_fdmobilenet_v1": _fast((0.5, 0.75, 0.625, 0.5, 0.375, *(0.25,) * 7)),
    **{f"mobilenet_v1_{alpha}": _v1(alpha) for alpha in (0.25, 0.5, 0.75, 1.0)},
    **{f"mobilenet_v2_{alpha}": _v2(alpha) for alpha in (0.35, 0.5, 0.75, 1.0)},
}


def network(name: str) -> Body:
    """The network of that name.

    Raises:
        InputError: there is none; the message names the near match.
    """
    if name not in NETWORKS:
        raise InputError(f"There is no network '{name}'{near_match(name, NETWORKS)}.")
    return NETWORKS[name]
