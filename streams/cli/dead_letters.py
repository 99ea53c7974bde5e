"""``driftline dlq``: what could not be scored, why, and another try."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from schemas.errors import ConfigurationError, DriftlineError
from schemas.timestamps import format_timestamp
from streams.cli.options import Config, Json, Set, load
from streams.cli.output import emit, printable, say

if TYPE_CHECKING:
    from schemas.dead_letter import DeadLetter
    from schemas.settings import Settings

app = typer.Typer(help="Dead letters: list them, send them again.", rich_markup_mode=None)

_ID = re.compile(r"(\d+)-(\d+)", re.ASCII)
_VALUE_SHOWN = 100
_BATCH = 500


@app.command("list")
def list_(
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the N latest of them.")
    ] = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """List the dead letters with their reasons.

    The id of a dead letter is its partition and offset on the dead-letters topic. With --json,
    `value` and `key` are text where they are UTF-8, else null with `value_base64` beside them.

    \b
    Examples:
      driftline dlq list
      driftline dlq list --json | jq -r .message | sort | uniq -c
    """
    settings = load(config, assignments)
    from streams.cli.kafka import read_to_end

    found = sorted(
        read_to_end(settings, settings.topic("dead-letters")), key=lambda m: m.timestamp()[1]
    )
    for message in found[-limit:] if limit else found:
        letter = _letter(message)
        if json:
            emit(_as_json(message, letter))
        else:
            value = "(null)" if letter.value is None else letter.value.decode("utf-8", "replace")
            if len(value) > _VALUE_SHOWN:
                value = value[:_VALUE_SHOWN] + "…"
            say(
                f"{message.partition()}-{message.offset()}  {letter.topic}"
                f"[{letter.partition}]@{letter.offset}  {letter.stage}  "
                f"{printable(letter.message)}  {printable(value)}"
            )


@app.command()
def replay(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...",
            help="Which, as in `dlq list`: 3-17 [default: all that were not replayed before].",
        ),
    ] = None,
    config: Config = None,
    assignments: Set = None,
    json: Json = False,
) -> None:
    """Put dead letters back where they came from: original bytes, key, headers and partition.

    Without ids, all that came since the last replay: the consumer group `<group>-replay` remembers
    how far that was. With the guarantee exactly_once, letters and that mark are one transaction.

    \b
    Examples:
      driftline dlq replay
      driftline dlq replay 3-17 3-18
    """
    settings = load(config, assignments)
    chosen = [_parsed_id(text) for text in ids or ()]
    count = _replay_chosen(settings, chosen) if chosen else _replay_new(settings)
    if json:
        emit({"replayed": count})
    else:
        say(f"{count:,} dead letters replayed")


def _parsed_id(text: str) -> tuple[int, int]:
    match = _ID.fullmatch(text)
    if match is None:
        raise ConfigurationError("ID", text, "PARTITION-OFFSET as in `driftline dlq list`: 3-17")
    return int(match[1]), int(match[2])


def _replay_chosen(settings: Settings, chosen: list[tuple[int, int]]) -> int:
    """Put the letters of these partitions and offsets back."""
    from streams.cli.kafka import read_to_end

    wanted = set(chosen)
    topic = settings.topic("dead-letters")
    found = read_to_end(settings, topic, lambda m: (m.partition(), m.offset()) in wanted)
    missing = wanted - {(m.partition(), m.offset()) for m in found}
    if missing:
        partition, offset = min(missing)
        raise DriftlineError(f"ID: there is no {partition}-{offset} on {topic}")
    with _Replayer(settings, transactional=False) as replayer:
        for message in found:
            replayer.put_back(message)
        replayer.settle()
        return replayer.count


def _replay_new(settings: Settings) -> int:
    """Put back what came since the last replay, whose mark is a committed offset."""
    import confluent_kafka as ck

    from streams.cli.kafka import open_consumer, partitions_of, until_end

    topic = settings.topic("dead-letters")
    with (
        open_consumer(settings, **{"group.id": f"{settings.group}-replay"}) as (consumer, metadata),
        _Replayer(settings, transactional=settings.guarantee == "exactly_once") as replayer,
    ):
        partitions = partitions_of(metadata, topic)
        marks = consumer.committed([ck.TopicPartition(topic, p) for p in partitions], timeout=10.0)
        consumer.assign(
            [
                ck.TopicPartition(
                    topic, m.partition, m.offset if m.offset >= 0 else ck.OFFSET_BEGINNING
                )
                for m in marks
            ]
        )
        done: dict[int, int] = {}
        for message in until_end(consumer, topic, len(partitions)):
            replayer.put_back(message)
            done[message.partition()] = message.offset() + 1
            if replayer.pending >= _BATCH:
                replayer.settle(consumer, done)
        replayer.settle(consumer, done)
        return replayer.count


class _Replayer:
    """Producers for the topics that letters came from; letters and mark together if need be."""

    def __init__(self, settings: Settings, *, transactional: bool) -> None:
        from streams.cli.kafka import Sender

        self._settings = settings
        self._transactional = transactional
        options: dict[str, Any] = {}
        if transactional:
            options["transactional.id"] = f"{settings.group}-replay"
        # One producer serves every topic a letter may have come from.
        self._sender = Sender(settings, settings.topic("sensors"), **options)
        self._open = False
        self.count = 0
        self.pending = 0

    def __enter__(self) -> _Replayer:
        if self._transactional:
            self._sender.producer.init_transactions(30.0)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self._open and kind is not None:
            self._sender.producer.abort_transaction(30.0)

    def put_back(self, message: Any) -> None:
        letter = _letter(message)
        if self._transactional and not self._open:
            self._sender.producer.begin_transaction()
            self._open = True
        self._sender.topic = letter.topic
        self._sender.send(
            letter.key, letter.value, headers=letter.headers, partition=letter.partition
        )
        self.pending += 1

    def settle(self, consumer: Any = None, done: dict[int, int] | None = None) -> None:
        """Make what was put back durable, and the mark with it."""
        import confluent_kafka as ck

        if not self.pending:
            return
        topic = self._settings.topic("dead-letters")
        marks = [ck.TopicPartition(topic, p, offset) for p, offset in (done or {}).items()]
        if self._transactional:
            self._sender.producer.send_offsets_to_transaction(
                marks, consumer.consumer_group_metadata(), 30.0
            )
            self._sender.producer.commit_transaction(60.0)
            self._open = False
        else:
            self._sender.finish()
            if marks:
                consumer.commit(offsets=marks, asynchronous=False)
        self.count += self.pending
        self.pending = 0


def _letter(message: Any) -> DeadLetter:
    from schemas.dead_letter import DeadLetter

    return DeadLetter.from_headers(
        message.key(), message.value(), message.timestamp()[1], message.headers() or []
    )


def _as_json(message: Any, letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": f"{message.partition()}-{message.offset()}",
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "ts": format_timestamp(message.timestamp()[1] * 1000),
        "stage": letter.stage,
        "exception": letter.exception_class,
        "message": letter.message,
        **_bytes("key", letter.key),
        **_bytes("value", letter.value),
    }


def _bytes(name: str, raw: bytes | None) -> dict[str, str | None]:
    if raw is None:
        return {name: None}
    try:
        return {name: raw.decode()}
    except UnicodeDecodeError:
        return {name: None, f"{name}_base64": base64.b64encode(raw).decode()}
