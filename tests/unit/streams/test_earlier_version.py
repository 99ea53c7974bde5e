"""An operator changes their mind: the version before is still at hand."""

from __future__ import annotations

from tests.pipelines import Partition, command, configured, reading


def test_the_version_before_can_be_promoted_again_by_its_number() -> None:
    partition = Partition(configured())
    partition.feed("sensors", *(reading(value=20.0 + n % 3, n=n) for n in range(20)))
    partition.feed("control", command("relearn"))
    partition.feed("sensors", *(reading(value=20.0 + n % 3, n=n) for n in range(20, 30)))
    for name, version in (("promote", None), ("rollback", None), ("promote", 2), ("promote", 1)):
        partition.feed("control", command(name, version=version))
    changes = [
        (a["action"], a["model_before"]["version"], a["model_after"]["version"])
        for a in partition.written("adaptations")
    ]
    assert changes == [
        ("relearn", 1, 1),
        ("promote", 1, 2),
        ("rollback", 2, 1),
        ("promote", 1, 2),
        ("promote", 2, 1),
    ]
