"""What networks and steps are called in a card, and what is said of a network."""

from typing import NamedTuple


class Family(NamedTuple):
    """Networks that differ in width only."""

    title: str
    about: str
    """One sentence."""
    paper: str
    """Its address."""
    reference: str
    """Authors and title."""


_FAST = Family(
    "FdMobileNet",
    "FdMobileNet (fast downsampling MobileNet) halves the resolution early, so that most layers work on small feature maps and cost few "
    "multiply-accumulates.",
    "https://arxiv.org/pdf/1802.03750.pdf",
    'Z. Qin, Z. Zhang, X. Chen, Y. Peng, "FD-MobileNet: Improved MobileNet with a Fast Downsampling Strategy"',
)
FAMILIES = {
    "fdmobilenet": _FAST,
    "st_fdmobilenet": _FAST._replace(title="ST FdMobileNet"),
    "mobilenet_v1": Family(
        "MobileNet V1",
        "MobileNet V1 divides each convolution into a depthwise one, within each channel, and a pointwise one across them.",
        "https://arxiv.org/pdf/1704.04861.pdf",
        'A. Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications"',
    ),
    "mobilenet_v2": Family(
        "MobileNet V2",
        "MobileNet V2 widens few channels to many within each block, filters them depthwise, and adds the block's input to what comes out.",
        "https://arxiv.org/pdf/1801.04381.pdf",
        'M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks"',
    ),
}
MODES = {"scratch": "all layers from random weights", "head": "last layer only, backbone frozen", "full": "all layers"}


def family(network: str) -> Family:
    """The family of a network that is named NAME_WIDTH."""
    return FAMILIES.get(network.rpartition("_")[0], _FAST)


def family_title(name: str) -> str:
    """The title of the card of a family, or of a network."""
    return FAMILIES[name].title if name in FAMILIES else network_title(name)


def network_title(network: str) -> str:
    """A network's name as the published cards write it."""
    name, _, width = network.rpartition("_")
    return f"{FAMILIES[name].title} {width}" if name in FAMILIES else network
