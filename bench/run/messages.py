"""JSON messages over a local socket, each preceded by its length. Never pickle: the sender may be a broken process."""

from __future__ import annotations

import json
import socket
from typing import Any

MAX_MESSAGE_BYTES = 256 << 20
_LENGTH = 8


class BrokenMessage(Exception):
    """What arrived is not a message of this protocol."""


def encode(message: dict[str, Any]) -> bytes:
    """The bytes of ``message``. Floats survive exactly; NumPy scalars and arrays become numbers and lists."""
    text = json.dumps(message, default=_plain, separators=(",", ":")).encode()
    return len(text).to_bytes(_LENGTH, "little") + text


class MessageReader:
    """Turns chunks of bytes, cut anywhere, back into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[dict[str, Any]]:
        """The messages completed by ``chunk``. Raises :class:`BrokenMessage` if it cannot be one."""
        self._buffer += chunk
        complete = []
        while len(self._buffer) >= _LENGTH:
            size = int.from_bytes(self._buffer[:_LENGTH], "little")
            if size > MAX_MESSAGE_BYTES:
                raise BrokenMessage(f"the length {size} of a message")
            if len(self._buffer) < _LENGTH + size:
                break
            text = bytes(self._buffer[_LENGTH : _LENGTH + size])
            del self._buffer[: _LENGTH + size]
            try:
                message = json.loads(text)
            except ValueError as error:
                raise BrokenMessage(f"a message that is not JSON: {error}") from None
            if not isinstance(message, dict):
                raise BrokenMessage(f"a message that is a {type(message).__name__}")
            complete.append(message)
        return complete


def receive_with_descriptors(channel: socket.socket, most: int = 1) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and the file descriptors that came with it, waiting for it; ``None`` once the sender is gone.

    For a channel on which the sender waits for the answer to one message before it sends another.
    """
    reader = MessageReader()
    descriptors: list[int] = []
    while True:
        chunk, received, _, _ = socket.recv_fds(channel, 1 << 16, most)
        descriptors += received
        if not chunk:
            return None
        messages = reader.feed(chunk)
        if messages:
            return messages[0], descriptors


def _plain(value: object) -> Any:
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, torch tensors
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} cannot be stored")
