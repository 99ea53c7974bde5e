"""The web server of a process: ``/metrics``, ``/healthz``, ``/readyz`` and the dashboard.

It only reads, listens on loopback unless told otherwise, and has no log-in: whoever lets it listen
elsewhere puts it behind something that has.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final

import orjson
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from schemas.errors import ConfigurationError
from schemas.settings import Http
from streams.logs import one_line
from streams.web.health import HealthSource
from streams.web.words import describe, explain

log = structlog.get_logger()

_HEADERS: Final = {
    # The page draws text from untrusted records: nothing inline runs, nothing foreign loads.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "driftline",
}
_PAGES: Final = {
    "/": ("index.html", "text/html"),
    "/dashboard.css": ("dashboard.css", "text/css"),
    "/dashboard.js": ("dashboard.js", "text/javascript"),
}
_RECENT: Final = 50
_STOP_SECONDS: Final = 1.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class WebServer:
    """A running web server: where it listens, and how to stop it."""

    host: str
    port: int
    _runner: web.AppRunner

    @property
    def url(self) -> str:
        """The address of the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    async def stop(self) -> None:
        """Stop listening; requests in progress have a second to end."""
        await self._runner.cleanup()


async def start_web(settings: Http, registry: CollectorRegistry, health: HealthSource) -> WebServer:
    """Serve metrics, health and the page until stopped.

    If the port is taken, a free one is used and a warning names it: a second worker on the same
    host must start too. Port 0 asks for a free one.

    Parameters
    ----------
    settings
        ``host`` and ``port`` to listen on.
    registry
        What ``/metrics`` shows.
    health
        The process that is spoken for.

    Raises
    ------
    ConfigurationError
        If it is not possible to listen there: an address that is not this machine's, a name that
        does not resolve, or a port below 1024 without the right to it.
    """
    runner = web.AppRunner(
        _application(registry, health, loopback=_is_loopback(settings.host)),
        access_log=None,
        shutdown_timeout=_STOP_SECONDS,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            await web.TCPSite(runner, settings.host, 0).start()
            log.warning(
                f"http.port {settings.port} is taken: a free port is used instead",
                port=runner.addresses[0][1],
            )
    except (OSError, asyncio.CancelledError) as error:
        await runner.cleanup()
        if isinstance(error, OSError):
            raise _refused(settings, error) from error
        raise
    return WebServer(settings.host, runner.addresses[0][1], runner)


def _refused(settings: Http, error: OSError) -> ConfigurationError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigurationError(
            "http.port", settings.port, "a port that this user may listen on, or 0 for a free one"
        )
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return ConfigurationError("http.host", settings.host, "a name or address of this machine")
    return ConfigurationError(
        "http.host", settings.host, f"an address to listen on ({one_line(error)})"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _application(
    registry: CollectorRegistry, health: HealthSource, *, loopback: bool
) -> web.Application:
    """Return all that is answered, by path."""

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    async def healthz(_request: web.Request) -> web.Response:
        alive = health.alive
        return _json({"status": "ok" if alive else "dead"}, status=200 if alive else 503)

    async def readyz(_request: web.Request) -> web.Response:
        ready, reasons = health.ready
        return _json(
            {"status": "ready" if ready else "not ready", "reasons": reasons},
            status=200 if ready else 503,
        )

    async def status(_request: web.Request) -> web.Response:
        ready, reasons = health.ready
        return _json(
            {
                "alive": health.alive,
                "ready": ready,
                "reasons": reasons,
                **_told(health.status()),
            }
        )

    application = web.Application(middlewares=[_read_only, _answer_errors])
    if loopback:
        application.middlewares.insert(1, _no_rebinding)
    application.on_response_prepare.append(_add_headers)
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/api/status", status)
    for path, (name, content_type) in _PAGES.items():
        application.router.add_get(path, _page(name, content_type))
    return application


def _page(name: str, content_type: str) -> _Handler:
    body = resources.files("streams.web").joinpath("page", name).read_bytes()

    async def page(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=content_type, charset="utf-8")

    return page


def _told(status: Mapping[str, Any]) -> dict[str, Any]:
    """Add plain words to the drift events, and keep every list short."""
    told = {
        key: value[:_RECENT] if key.startswith("recent_") else value
        for key, value in status.items()
    }
    told["recent_drift"] = [
        {**drift, "words": describe(drift), "meaning": explain(drift)}
        for drift in told.get("recent_drift", ())
    ]
    return told


def _json(content: Mapping[str, Any], status: int = 200) -> web.Response:
    # orjson writes NaN and infinities as null: the page's parser would refuse them.
    body = orjson.dumps(content, default=str, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(body=body, status=status, content_type="application/json")


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


@web.middleware
async def _read_only(request: web.Request, handler: _Handler) -> web.StreamResponse:
    if request.method not in ("GET", "HEAD"):
        raise web.HTTPMethodNotAllowed(request.method, ("GET", "HEAD"))
    return await handler(request)


@web.middleware
async def _no_rebinding(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refuse names: a page elsewhere could point its own name at loopback and read along."""
    host = request.url.host or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if host != "localhost" and not host.endswith(".localhost"):
            raise web.HTTPMisdirectedRequest(
                text="This server listens on loopback: ask for localhost, or an address.\n"
            ) from None
    return await handler(request)


@web.middleware
async def _answer_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception as error:
        log.error("http request failed", path=request.path, exc_info=error)
        return _json({"status": "error", "error": one_line(error)}, status=500)
