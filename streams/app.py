"""The worker as a process: signals, health, the web server, and when to give up.

It ends with 0 after SIGTERM or SIGINT, with 2 for topics or state that do not fit the
configuration, and with 1 when it was fenced or the broker stayed away too long. Anything
else that stops the consumer is logged, and a new one is started in its place.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version

import river
import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from prometheus_client import CollectorRegistry

from learners.snapshot import signing_key
from schemas.compiled import is_complete
from schemas.errors import BrokerGone, ConfigurationError, Fenced, SnapshotError, TopicError
from schemas.settings import Settings
from streams import topics
from streams.bank.warm_up import Compiled
from streams.metrics import Metrics
from streams.sensor import try_out
from streams.status import WorkerStatus
from streams.web.server import start_web
from streams.worker import Worker

log = structlog.get_logger("driftline")

WATCH_SECONDS = 5.0
PAUSE_SECONDS = 2.0
LINGER_SECONDS = 1.0
CLOSE_SECONDS = 2.0
STOP_SECONDS = 13.0
"""From a signal to the end of the process, whatever does not answer."""


def run_worker(settings: Settings) -> int:
    """Run a worker until it is told to stop.

    Parameters
    ----------
    settings
        Of the deployment.

    Returns
    -------
    int
        Exit code: 0 stopped, 1 fenced or the broker is gone, 2 topics or state do not fit.
    """
    with asyncio.Runner() as runner:
        code = runner.run(_run(settings))
        # Closing the runner waits for threads, which may wait for a broker that is gone.
        _in_time(CLOSE_SECONDS, code)
    _leave(code)
    return code


def run_dashboard(settings: Settings) -> int:
    """Serve the read-only page of the whole group until stopped."""
    from streams.web.dashboard import run_dashboard as serve

    serve(settings)
    return 0


async def _run(settings: Settings) -> int:
    """Run a worker and its web server until a signal comes or the worker fails."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_in_time, stop)
    # One thread per partition that is being restored, all side by side.
    loop.set_default_executor(ThreadPoolExecutor(max(8, settings.topics.partitions)))
    registry = CollectorRegistry()
    metrics = Metrics.create(registry)
    model = "default" if settings.learner.model is None else "configured"
    metrics.model.labels(task=settings.learner.task, model=model).info({"river": river.__version__})
    metrics.build.info({"version": version("driftline")})
    status = WorkerStatus(settings, metrics)
    signing_key(settings.state)
    try_out(settings)
    web = await start_web(settings.http, registry, status)
    watch = _BrokerWatch(settings, status)
    log.info("worker starting", group=settings.group, guarantee=settings.guarantee)
    compiled = Compiled()
    preparing = asyncio.create_task(compiled.prepare())
    if is_complete():
        await _until(stop, asyncio.shield(preparing))
    try:
        await _until(stop, _check_topics(settings, status))
        watching = asyncio.create_task(watch.run())
        while not stop.is_set():
            await _work(settings, metrics, status, stop, watching, compiled)
    except (TopicError, ConfigurationError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line of exit code 2
        return 2
    except SnapshotError as error:
        print(f"state.signing_key: {error}", file=sys.stderr)  # noqa: T201 - as above
        return 2
    except (Fenced, BrokerGone) as error:
        log.error("worker ends", reason=str(error))
        return 1
    finally:
        # It ends now, with a code that tells why, whatever signals still come.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        status.alive = False
        preparing.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(web.stop(), LINGER_SECONDS)
    return 0


async def _work(
    settings: Settings,
    metrics: Metrics,
    status: WorkerStatus,
    stop: asyncio.Event,
    watching: asyncio.Task[None],
    compiled: Compiled,
) -> None:
    """Run one consumer to its end; return if another may take its place."""
    worker = asyncio.create_task(
        Worker(settings, metrics, status, lambda: compiled.ready).run(stop)
    )
    await asyncio.wait([worker, watching], return_when=asyncio.FIRST_COMPLETED)
    if watching.done() and not worker.done():
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker
        watching.result()
    try:
        await worker
    except (TopicError, ConfigurationError, SnapshotError, Fenced, BrokerGone):
        raise
    except Exception as error:  # noqa: BLE001 - a worker never ends by itself
        log.error(
            "the consumer failed and is started anew", reason=f"{type(error).__name__}: {error}"
        )
        await _until(stop, asyncio.sleep(PAUSE_SECONDS))


async def _check_topics(settings: Settings, status: WorkerStatus) -> None:
    """Wait for a broker, then refuse topics that would lose or misplace events."""
    deadline = time.monotonic() + settings.kafka.outage_timeout
    while True:
        try:
            problems = await asyncio.to_thread(topics.check, settings)
            break
        except BrokerGone as error:
            status.broker_reachable = False
            if time.monotonic() > deadline:
                raise
            log.warning("waiting for a broker", reason=str(error))
            await asyncio.sleep(PAUSE_SECONDS)
    status.broker_reachable = True
    if problems:
        raise TopicError(topics.summary(problems))


async def _until(stop: asyncio.Event, work: object) -> None:
    """Await `work`, but no longer than until `stop` is set."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        task.result()
    else:
        task.cancel()


class _BrokerWatch:
    """Asks the broker for metadata now and then: readiness, and the end of an outage too long."""

    def __init__(self, settings: Settings, status: WorkerStatus) -> None:
        self._settings = settings
        self._status = status
        self._admin = AdminClient(settings.kafka.librdkafka() | {"log_level": 0})

    async def run(self) -> None:
        """Watch for ever; raises BrokerGone after `kafka.outage_timeout` without an answer."""
        answered = time.monotonic()
        topic = self._settings.topic("state")
        while True:
            try:
                await asyncio.to_thread(self._admin.list_topics, topic, WATCH_SECONDS)
                answered = time.monotonic()
                self._status.broker_reachable = True
            except KafkaException:
                self._status.broker_reachable = False
                silent = time.monotonic() - answered
                log.warning("no answer from the broker", seconds=round(silent, 1))
                if silent > self._settings.kafka.outage_timeout:
                    raise BrokerGone(
                        f"{self._settings.kafka.bootstrap_servers}: no answer for "
                        f"{silent:.0f} s (kafka.outage_timeout)"
                    ) from None
            await asyncio.sleep(WATCH_SECONDS)


def _stop_in_time(stop: asyncio.Event) -> None:
    if not stop.is_set():
        stop.set()
        _in_time(STOP_SECONDS, 0)


def _in_time(seconds: float, code: int) -> None:
    """End with `code` after so long, if the process has not ended by itself."""
    last_resort = threading.Timer(seconds, _abandon, [code])
    last_resort.daemon = True
    last_resort.start()


def _abandon(code: int) -> None:
    """End now. What was not checkpointed is replayed by the next owner, as after a crash."""
    log.warning("the broker does not answer: leaving without it")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _leave(code: int) -> None:
    """End the process even if a client's thread still waits for a broker that is gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    alive = [t for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon]
    for thread in alive:
        thread.join(LINGER_SECONDS)
    if any(thread.is_alive() for thread in alive):
        os._exit(code)
