"""Messages arrive whole however the bytes are cut, and floats exactly; junk is recognised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.run.messages import BrokenMessage, MessageReader, encode

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda v: st.lists(v),
    max_leaves=8,
)
messages = st.dictionaries(st.text(), values, max_size=4)


@given(st.lists(messages, max_size=5), st.lists(st.integers(1, 40), min_size=1))
def test_any_cutting(sent, cuts):  # type: ignore[no-untyped-def]
    stream = b"".join(encode(message) for message in sent)
    reader, received, position = MessageReader(), [], 0
    while position < len(stream):
        step = cuts[len(received) % len(cuts)]
        received += reader.feed(stream[position : position + step])
        position += step
    assert received == sent


def test_numpy_values_become_plain() -> None:
    message = {"a": np.float64(0.1), "b": np.arange(3), "c": np.bool_(True), "d": np.float32(0.5)}
    assert MessageReader().feed(encode(message)) == [{"a": 0.1, "b": [0, 1, 2], "c": True, "d": 0.5}]


@pytest.mark.parametrize(
    "junk", [b"\xff" * 16, (3).to_bytes(8, "little") + b"abc", (2).to_bytes(8, "little") + b"[]"], ids=repr
)
def test_junk(junk: bytes) -> None:
    with pytest.raises(BrokenMessage):
        MessageReader().feed(junk)


def test_what_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(TypeError, match="a object cannot be stored"):
        encode({"a": object()})
