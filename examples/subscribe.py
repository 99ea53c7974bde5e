"""Print every drift event as it is committed: what a program of yours would begin with.

python examples/subscribe.py [bootstrap servers]
"""

import json
import sys

from confluent_kafka import Consumer

servers = sys.argv[1] if len(sys.argv) > 1 else "localhost:9092"
consumer = Consumer(
    {
        "bootstrap.servers": servers,
        "group.id": "maintenance-desk",
        "auto.offset.reset": "earliest",
        # Drift events of a checkpoint that never finished are not shown.
        "isolation.level": "read_committed",
    }
)
consumer.subscribe(["driftline.alerts"])
try:
    while True:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        drift = json.loads(message.value())
        if drift["kind"] == "drift":
            print(drift["ts"], drift["sensor_id"], drift["diagnosis"], drift["severity"])
            sys.stdout.flush()
except KeyboardInterrupt:
    pass
finally:
    consumer.close()
