"""Stand-ins for two of Kafka's own tools, whose jar the test broker does not need.

They take the options that the documentation uses, no others, and do what the real ones do.
"""

from __future__ import annotations

import argparse
import sys

from confluent_kafka.admin import AdminClient

from tests.brokers import produce, wait_for


def console_producer(arguments: argparse.Namespace) -> None:
    """Produce the lines of standard input, each a key, the separator and a value."""
    properties = dict(text.split("=", 1) for text in arguments.property)
    assert properties.pop("parse.key") == "true"
    separator = properties.pop("key.separator")
    assert not properties
    lines = (line.rstrip("\n").partition(separator) for line in sys.stdin)
    produce(
        arguments.bootstrap_server,
        arguments.topic,
        [(key.encode(), value.encode()) for key, _, value in lines],
    )


def topics(arguments: argparse.Namespace) -> None:
    """Delete a topic."""
    assert arguments.delete
    admin = AdminClient({"bootstrap.servers": arguments.bootstrap_server})
    admin.delete_topics([arguments.topic])[arguments.topic].result()
    wait_for(
        lambda: arguments.topic not in admin.list_topics(timeout=10.0).topics, 10.0, "still there"
    )


TOOLS = {"kafka-console-producer.sh": console_producer, "kafka-topics.sh": topics}


def main() -> None:
    """Run the tool that the first argument names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--property", action="append", default=[])
    parser.add_argument("--delete", action="store_true")
    arguments = parser.parse_args()
    TOOLS[arguments.tool](arguments)


if __name__ == "__main__":
    main()
