"""The networks: each is a small table of widths and strides, all are built by `build`."""

from edgeloop.networks.build import Body, build, multiply_accumulates, parameters_folded
from edgeloop.networks.table import NETWORKS, network

__all__ = ["NETWORKS", "Body", "build", "multiply_accumulates", "network", "parameters_folded"]
