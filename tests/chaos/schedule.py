"""Faults at seeded times, and a supervisor that starts anew what has ended."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from tests.brokers import KafkaServer
from tests.deployment import Deployment, WorkerProcess

Kind = Literal["workers", "broker"]
Action = Literal["kill", "term", "freeze", "join", "broker-kill", "broker-freeze"]

WORKER_ACTIONS: tuple[Action, ...] = ("kill", "kill", "term", "freeze", "join")
BROKER_ACTIONS: tuple[Action, ...] = ("broker-kill", "broker-freeze", "kill")
START_SECONDS = 60.0


@dataclass(frozen=True)
class Fault:
    """What happens when.

    Attributes
    ----------
    at
        Seconds after the start.
    action
        ``freeze`` is SIGSTOP for longer than the session time-out, then SIGCONT;
        ``join`` one more worker; ``broker-kill`` SIGKILL and a restart; ``broker-freeze``
        SIGSTOP, then SIGCONT.
    target
        Chooses the worker.
    seconds
        How long a freeze or an outage lasts.
    """

    at: float
    action: Action
    target: int
    seconds: float


def plan(seed: int, seconds: float, kind: Kind, session_timeout: float) -> list[Fault]:
    """Draw the faults of one run: the same for the same arguments."""
    draw = random.Random(f"{seed}-{kind}")
    actions = list(WORKER_ACTIONS if kind == "workers" else BROKER_ACTIONS)
    faults: list[Fault] = []
    at = 4.0
    round_: list[Action] = []
    while at < seconds:
        if not round_:  # every action comes in every round
            round_ = draw.sample(actions, len(actions))
        action = round_.pop()
        longer = session_timeout * (0.5 if action == "broker-kill" else 1.3)
        faults.append(Fault(at, action, draw.randrange(1000), longer + draw.uniform(0.0, 2.0)))
        at += draw.uniform(2.0, 5.0) + (longer if action.startswith("broker") else 0.0)
    return faults


@dataclass
class Supervisor:
    """Keeps at least two workers running, and carries out faults.

    Attributes
    ----------
    done
        What happened, in words.
    exits
        How often a worker ended by itself with which code.
    """

    deployment: Deployment
    workers: list[WorkerProcess] = field(default_factory=list)
    frozen: dict[WorkerProcess, float] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    exits: Counter[int] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    terminated: dict[WorkerProcess, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def run(self, faults: list[Fault]) -> None:
        """Carry out a plan; ends with the last fault, all that was frozen woken up."""
        for fault in faults:
            self.until(self._began + fault.at)
            self._carry_out(fault)
        while self.frozen:
            self.until(time.monotonic() + 0.2)

    def until(self, moment: float) -> None:
        """Supervise until a moment of the monotonic clock."""
        while True:
            self.supervise()
            left = moment - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.2))

    def supervise(self) -> None:
        """Wake what was frozen long enough, and replace what has ended."""
        for worker, moment in list(self.frozen.items()):
            if time.monotonic() >= moment:
                worker.send(signal.SIGCONT)
                del self.frozen[worker]
                self._say(f"woke worker {worker.number}")
        for worker in list(self.workers):
            code = worker.exit_code
            if code is None:
                self._overdue(worker)
                continue
            self.workers.remove(worker)
            self.frozen.pop(worker, None)
            asked = self.terminated.pop(worker, None)
            if asked is not None and code != 0:
                self.wrong.append(f"worker {worker.number} ended with {code} after SIGTERM")
            if asked is None and code != -signal.SIGKILL:
                self.exits[code] += 1
                self._say(f"worker {worker.number} ended by itself with {code}")
        while len([w for w in self.workers if w not in self.terminated]) < 2:
            self.workers.append(self.deployment.start())

    def stop(self) -> None:
        """End all workers with SIGTERM."""
        for worker in self.workers:
            worker.send(signal.SIGCONT)
            worker.send(signal.SIGTERM)
        for worker in self.workers:
            try:
                code = worker.wait(15.0)
            except AssertionError as error:
                self.wrong.append(f"worker {worker.number}: {error}")
                worker.kill()
            else:
                if code != 0:
                    self.wrong.append(f"worker {worker.number} ended with {code} after SIGTERM")

    def _carry_out(self, fault: Fault) -> None:
        if fault.action in ("broker-kill", "broker-freeze"):
            self._strike_broker(fault)
            return
        if fault.action == "join":
            if len(self.workers) < 4:
                self.workers.append(self.deployment.start())
                self._count(fault, f"worker {self.workers[-1].number} joins")
            return
        awake = self._at_work()
        worker = awake[fault.target % len(awake)]
        if fault.action == "kill":
            worker.send(signal.SIGKILL)
        elif fault.action == "term":
            worker.send(signal.SIGTERM)
            self.terminated[worker] = time.monotonic()
        else:
            worker.send(signal.SIGSTOP)
            self.frozen[worker] = time.monotonic() + fault.seconds
        self._count(fault, f"{fault.action} worker {worker.number}")

    def _at_work(self) -> list[WorkerProcess]:
        """Wait for workers that have restored partitions: one that still starts proves nothing."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            found = [
                worker
                for worker in self.workers
                if worker not in self.frozen
                and worker not in self.terminated
                and worker.exit_code is None
                and b"partition restored" in worker.log.read_bytes()
            ]
            if found:
                return found
            assert time.monotonic() < deadline, f"no worker works:\n{self.deployment.logs()}"
            self.until(time.monotonic() + 0.2)

    def _strike_broker(self, fault: Fault) -> None:
        broker = self.deployment.server
        assert isinstance(broker, KafkaServer)
        self._at_work()
        began = time.monotonic()
        if fault.action == "broker-kill":
            broker.kill()
        else:
            broker.pause()
        if fault.target % 2 and self.workers:
            # A kill while the broker does not answer: a transaction is open for sure.
            victim = self.workers[fault.target % len(self.workers)]
            self.until(began + fault.seconds / 2)
            victim.send(signal.SIGKILL)
            self._say(f"kill worker {victim.number} meanwhile")
            self.counts["kill"] += 1
        self.until(began + fault.seconds)
        if fault.action == "broker-kill":
            broker.start()
        else:
            broker.resume()
        self._count(fault, f"{fault.action} for {time.monotonic() - began:.1f} s")

    def _overdue(self, worker: WorkerProcess) -> None:
        asked = self.terminated.get(worker)
        if asked is not None and time.monotonic() - asked > 15.0:
            self.wrong.append(
                f"worker {worker.number} still ran 15 s after SIGTERM:\n{worker.tail()}"
            )
            worker.kill()
            del self.terminated[worker]

    def _count(self, fault: Fault, text: str) -> None:
        self.counts[fault.action] += 1
        self._say(text)

    def _say(self, text: str) -> None:
        self.done.append(f"{time.monotonic() - self._began:5.1f} s  {text}")
