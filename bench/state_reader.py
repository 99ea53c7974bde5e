"""A bare consumer that reads a topic to its end, read_committed: as quick as reading state can be.

Usage: ``python -m bench.state_reader BOOTSTRAP TOPIC PARTITIONS``. Prints one JSON line:
``records``, ``bytes``, ``seconds`` and ``cpu_seconds``, its start left out.
"""

from __future__ import annotations

import json
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaError, TopicPartition


def main(bootstrap: str, topic: str, partitions: int) -> dict[str, float]:
    """Read everything once and keep it, as whoever needs it would."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"reader-{uuid.uuid4().hex}",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            # As quick as it can be: by default it waits a second when its queue is full.
            "fetch.wait.max.ms": 10,
            "fetch.queue.backoff.ms": 5,
            "queued.min.messages": 100_000,
        }
    )
    rows: dict[bytes, bytes] = {}
    records = size = 0
    started, cpu = time.perf_counter(), time.process_time()
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    left = partitions
    while left:
        for message in consumer.consume(10_000, 0.1):
            error = message.error()
            if error is None:
                key, value = message.key(), message.value()
                rows[key] = value
                records += 1
                size += len(key) + len(value or b"")
            elif error.code() == KafkaError._PARTITION_EOF:
                left -= 1
            else:
                raise RuntimeError(str(error))
    result = {
        "records": records,
        "bytes": size,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
    }
    consumer.close()
    return result


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
