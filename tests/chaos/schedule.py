"""Faults at seeded times, and a supervisor that starts anew what has ended."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from tests.brokers import KafkaServer, admin, wait_for
from tests.deployment import STOP_SECONDS, Deployment, WorkerProcess

Kind = Literal["workers", "broker"]
Action = Literal["kill", "term", "freeze", "join", "broker-kill", "broker-freeze"]

WORKER_ACTIONS: tuple[Action, ...] = ("kill", "kill", "term", "freeze", "join")
BROKER_ACTIONS: tuple[Action, ...] = ("broker-kill", "broker-freeze", "kill")
START_SECONDS = 60.0
AIM_SECONDS = 3.0
FENCED = 1


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
    aimed
        Strike while a transaction of the worker lies on the broker, written and not committed.
    """

    at: float
    action: Action
    target: int
    seconds: float
    aimed: bool


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
        faults.append(
            Fault(
                at,
                action,
                target=draw.randrange(1000),
                seconds=longer + draw.uniform(0.0, 2.0),
                aimed=draw.random() < 0.6,
            )
        )
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
    killed: set[WorkerProcess] = field(default_factory=set)
    woken: set[WorkerProcess] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _draw: random.Random = field(default_factory=lambda: random.Random(0))

    def __post_init__(self) -> None:
        self._admin = admin(self.deployment.server.bootstrap_servers)

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
                self.woken.add(worker)
                del self.frozen[worker]
                self._say(f"woke worker {worker.number}")
        for worker in list(self.workers):
            code = worker.exit_code
            if code is None:
                self._overdue(worker)
                continue
            self.workers.remove(worker)
            self.frozen.pop(worker, None)
            asked = self.terminated.pop(worker, None) is not None
            if worker in self.killed:
                continue
            if not asked:
                self.exits[code] += 1
                self._say(f"worker {worker.number} ended by itself with {code}")
            self._judge(worker, code, "after SIGTERM" if asked else "by itself", asked)
        while len([w for w in self.workers if w not in self.terminated]) < 2:
            self.workers.append(self.deployment.start())

    def stop(self) -> None:
        """End all workers with SIGTERM; one that was killed has ended already."""
        left = [worker for worker in self.workers if worker not in self.killed]
        for worker in left:
            worker.send(signal.SIGCONT)
            wait_for(
                lambda: worker.exit_code is not None or catches(worker, signal.SIGTERM),  # noqa: B023
                START_SECONDS,
                f"worker {worker.number} does not come to catch SIGTERM",
            )
            worker.send(signal.SIGTERM)
        for worker in left:
            try:
                self._judge(worker, worker.wait(STOP_SECONDS), "after the last SIGTERM", asked=True)
            except AssertionError as error:
                self.wrong.append(f"worker {worker.number}: {error}")
                worker.kill()

    def _judge(self, worker: WorkerProcess, code: int, when: str, asked: bool) -> None:
        """A worker ends with 0 if asked to, and by itself only when it was fenced."""
        fenced = code == FENCED and "has another owner" in worker.text()
        if not (fenced if code or not asked else True):
            self.wrong.append(f"worker {worker.number} ended with {code} {when}:\n{worker.tail()}")

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
        how = ""
        if fault.aimed and fault.action in ("kill", "freeze") and self._stop_in_transaction(worker):
            self.counts["in a transaction"] += 1
            how = " in a transaction"
        if fault.action == "kill":
            self._kill(worker)
        elif fault.action == "term":
            worker.send(signal.SIGTERM)
            self.terminated[worker] = time.monotonic()
        else:
            worker.send(signal.SIGSTOP)
            self.frozen[worker] = time.monotonic() + fault.seconds
        self._count(fault, f"{fault.action} worker {worker.number}{how}")

    def _stop_in_transaction(self, worker: WorkerProcess) -> bool:
        """Stop the worker until it is caught with uncommitted records on the state topic."""
        deadline = time.monotonic() + AIM_SECONDS
        while time.monotonic() < deadline and worker.exit_code is None:
            worker.send(signal.SIGSTOP)
            # Another worker's transaction is over in a moment; one that stays is this one's.
            if self._uncommitted() and (time.sleep(0.1) or self._uncommitted()):
                return True
            worker.send(signal.SIGCONT)
            time.sleep(self._draw.uniform(0.01, 0.05))
        return False

    def _uncommitted(self) -> set[int]:
        topic = self.deployment.settings.topic("state")
        partitions = [
            TopicPartition(topic, number)
            for number in range(self.deployment.settings.topics.partitions)
        ]
        wanted = {partition: OffsetSpec.latest() for partition in partitions}
        ends = []
        for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED):
            answers = self._admin.list_offsets(wanted, isolation_level=level)
            try:
                ends.append({p.partition: answers[p].result(5.0).offset for p in partitions})
            except KafkaException:  # the broker has just come back
                return set()
        return {number for number, end in ends[0].items() if ends[1][number] > end}

    def _at_work(self) -> list[WorkerProcess]:
        """Wait for workers that have restored partitions: one that still starts proves nothing."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            found = [
                worker
                for worker in self.workers
                if worker not in self.frozen
                and worker not in self.terminated
                and worker not in self.killed
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
            self._kill(victim)
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
        if asked is not None and time.monotonic() - asked > STOP_SECONDS:
            self.wrong.append(
                f"worker {worker.number} still ran 15 s after SIGTERM:\n{worker.tail()}"
            )
            self._kill(worker)
            del self.terminated[worker]

    def _kill(self, worker: WorkerProcess) -> None:
        self.killed.add(worker)
        worker.send(signal.SIGKILL)

    def _count(self, fault: Fault, text: str) -> None:
        self.counts[fault.action] += 1
        self._say(text)

    def _say(self, text: str) -> None:
        self.done.append(f"{time.monotonic() - self._began:5.1f} s  {text}")


def catches(worker: WorkerProcess, number: signal.Signals) -> bool:
    """Tell whether a worker has come so far as to handle a signal itself."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    mask = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)
