"""Fetch requests and answers are those of aiokafka, byte by byte."""

from __future__ import annotations

import inspect
from io import BytesIO
from typing import Any

import pytest
from aiokafka import conn
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.protocol.fetch import FetchRequest, FetchResponse_v11
from hypothesis import given
from hypothesis import strategies as st

from streams.fetching import VERSION, Answer, PackedFetchRequest

numbers, offsets = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
names = st.text(st.characters(codec="ascii"), max_size=20)


def versions_up_to(version: int) -> dict[int, tuple[int, int]]:
    return {FetchRequest.API_KEY: (0, version)}


# The names, one by one.


def test_a_fetcher_makes_requests_in_one_method_that_names_their_class() -> None:
    method = Fetcher._get_actions_per_node
    assert "self._get_actions_per_node(" in inspect.getsource(Fetcher)
    assert "FetchRequest" in method.__code__.co_names
    assert (method.__code__.co_freevars, method.__defaults__) == ((), None)
    assert method.__kwdefaults__ is None


def test_a_connection_has_a_structure_encode_itself_and_name_the_type_of_its_answer() -> None:
    assert "header.encode() + request_struct.encode()" in inspect.getsource(
        conn.AIOKafkaConnection.send
    )
    text = inspect.getsource(conn.AIOKafkaConnection._handle_frame)
    assert "resp_type = request.RESPONSE_TYPE" in text
    assert "resp_type.decode(resp)" in text


def test_the_version_is_the_newest_that_aiokafka_knows() -> None:
    assert FetchRequest._CLASSES[-1].API_VERSION == VERSION


# Their bytes.


@given(
    st.lists(
        st.tuples(names, st.lists(st.tuples(numbers, offsets, numbers), max_size=4)), max_size=4
    ),
    numbers,
    st.integers(0, 1),
    names,
)
def test_a_request_has_the_bytes_of_that_of_aiokafka(
    topics: list[Any], number: int, isolation: int, rack: str
) -> None:
    arguments = (number, 1, 2**20, isolation, topics, rack)
    usual = FetchRequest(*arguments).prepare(versions_up_to(VERSION))
    ours = PackedFetchRequest(*arguments).prepare(versions_up_to(VERSION))
    assert type(ours) is type(usual)
    assert ours.encode() == usual.encode()


@pytest.mark.parametrize("version", range(4, VERSION))
def test_a_request_to_an_older_broker_is_that_of_aiokafka(version: int) -> None:
    arguments = (50, 1, 2**20, 1, [("topic", [(0, 17, 1000)])])
    usual = FetchRequest(*arguments).prepare(versions_up_to(version))
    ours = PackedFetchRequest(*arguments).prepare(versions_up_to(version))
    assert ours.encode() == usual.encode()
    assert ours.RESPONSE_TYPE is usual.RESPONSE_TYPE


answers = st.lists(
    st.tuples(
        names,
        st.lists(
            st.tuples(
                numbers,
                st.integers(-1, 100),
                offsets,
                offsets,
                offsets,
                st.none() | st.lists(st.tuples(offsets, offsets), max_size=3),
                numbers,
                st.none() | st.binary(max_size=60),
            ),
            max_size=4,
        ),
    ),
    max_size=4,
)


@given(answers, numbers, st.binary(max_size=8))
def test_an_answer_is_read_as_aiokafka_reads_it(
    topics: list[Any], number: int, header: bytes
) -> None:
    raw = header + FetchResponse_v11(number, 0, 7, topics).encode()
    data = [BytesIO(raw) for _ in range(2)]
    for each in data:
        each.seek(len(header))
    usual, ours = FetchResponse_v11.decode(data[0]), Answer.decode(data[1])
    assert type(ours) is FetchResponse_v11
    assert ours == usual


def test_an_answer_that_is_cut_is_refused() -> None:
    answer = FetchResponse_v11(0, 0, 0, [("topic", [(0, 0, 9, 9, 0, [], -1, b"records")])])
    with pytest.raises(ValueError, match="underrun"):
        Answer.decode(BytesIO(answer.encode()[:-1]))
