"""Local services that outlive the command that starts them: one supervisor, and the locks, ports and processes it needs."""

from edgeloop.services.service import Ports, Running, Service, listens

__all__ = ["Ports", "Running", "Service", "listens"]
