"""Ports of emulated boards in this process, as pyserial finds them when this package is among its `protocol_handler_packages`."""
