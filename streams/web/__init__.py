"""What a process shows over HTTP, read-only and on loopback: metrics, health and a page."""

from streams.web.health import HealthSource, PartitionStatus, Status
from streams.web.server import WebServer, start_web

__all__ = ["HealthSource", "PartitionStatus", "Status", "WebServer", "start_web"]
