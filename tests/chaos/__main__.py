"""``python -m tests.chaos``: a run of any length on a Kafka of its own.

Example: ``python -m tests.chaos --seconds 300 --events 200000 --seed 7 --faults workers``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.brokers import KafkaServer
from tests.chaos.run import run


def main() -> int:
    """Run, print what happened and what was found; 1 if anything was lost, added or doubled."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long faults go on")
    parser.add_argument("--events", type=int, default=60_000, help="records produced meanwhile")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", choices=("workers", "broker"), default="workers")
    parser.add_argument("--keep", type=Path, help="folder for logs, kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = options.keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        server = KafkaServer(Path(scratch) / "kafka").start()
        try:
            outcome = run(
                server,
                directory,
                seed=options.seed,
                events=options.events,
                seconds=options.seconds,
                kind=options.faults,
                say=print,
            )
        finally:
            server.kill()
    report, supervisor = outcome.report, outcome.supervisor
    print(f"faults        {dict(supervisor.counts)}")
    print(f"exits         {dict(supervisor.exits)}")
    print(f"events        {report.produced}: {report.scored} scored, {report.dead_letters} dead")
    print(f"drift events  {report.expected} expected, {report.uncommitted} written")
    print(f"missing {report.missing}  extra {report.extra}  doubled {report.doubled}")
    print(f"seconds       {outcome.seconds:.1f}")
    for fault in outcome.faults:
        print(f"WRONG: {fault}", file=sys.stderr)
    if outcome.faults:
        print(outcome.logs, file=sys.stderr)
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
