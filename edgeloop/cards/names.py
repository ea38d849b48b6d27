"""What networks and steps are called in a card."""

NETWORKS = {
    "fdmobilenet_0.25": "FdMobileNet 0.25",
    "fdmobilenet_0.5": "FdMobileNet 0.5",
    "fdmobilenet_0.75": "FdMobileNet 0.75",
    "fdmobilenet_1.0": "FdMobileNet 1.0",
    "st_fdmobilenet_v1": "ST FdMobileNet v1",
}
PAPER = "https://arxiv.org/pdf/1802.03750.pdf"
MODES = {"scratch": "all layers from random weights", "head": "last layer only, backbone frozen", "full": "all layers"}


def network_title(network: str) -> str:
    """A network's name as the published cards write it."""
    return NETWORKS.get(network, network)
