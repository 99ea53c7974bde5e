"""One run: feed, strike, let it come to rest, verify."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.brokers import KafkaServer
from tests.chaos.schedule import Kind, Supervisor, plan
from tests.chaos.verifier import Report, verify
from tests.chaos.workload import Feeder
from tests.deployment import EAGER, Deployment

REST_SECONDS = 90.0


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    report: Report
    supervisor: Supervisor
    seconds: float
    logs: str

    @property
    def faults(self) -> list[str]:
        """Everything that must not be."""
        return self.report.faults + self.supervisor.wrong


def run(
    server: KafkaServer,
    directory: Path,
    *,
    seed: int,
    events: int,
    seconds: float,
    kind: Kind,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run a deployment under faults and verify what it left.

    Parameters
    ----------
    server
        Its own if the broker is to be struck.
    directory
        For logs.
    seed
        Of the workload and the faults.
    events, seconds
        How much is produced, and for how long faults go on.
    kind
        Whom faults strike.
    say
        Told what happens.
    """
    began = time.monotonic()
    with Deployment(server, directory, **{**EAGER, "policy.enabled": False}) as deployment:
        settings = deployment.settings
        feeder = Feeder(
            settings.kafka.bootstrap_servers, settings.topic("sensors"), seed, events, seconds
        )
        supervisor = Supervisor(deployment)
        supervisor.supervise()
        feeder.start()
        try:
            supervisor.run(plan(seed, seconds, kind, settings.kafka.session_timeout))
            say("\n".join(supervisor.done))
            while feeder.is_alive():
                supervisor.until(time.monotonic() + 0.5)
            assert not feeder.failed, feeder.failed[:3]
            deadline = time.monotonic() + REST_SECONDS
            while (behind := deployment.behind()) and time.monotonic() < deadline:
                supervisor.until(time.monotonic() + 0.5)
            if behind:
                supervisor.wrong.append(f"not at rest after {REST_SECONDS:.0f} s: {behind}")
            supervisor.stop()
        finally:
            feeder.cancel()
        report = verify(deployment)
        if report.produced != events:
            report.notes.append(f"{events} were sent, {report.produced} are on the topic")
        logs = deployment.logs() if report.faults or supervisor.wrong else ""
    return Outcome(report, supervisor, time.monotonic() - began, logs)
