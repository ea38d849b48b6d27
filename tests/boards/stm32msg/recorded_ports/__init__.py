"""Ports of recorded bytes, as pyserial finds them when this package is among its `protocol_handler_packages`."""
