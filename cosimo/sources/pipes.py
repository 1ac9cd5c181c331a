"""Pipes: look at the first bytes of a stream, and still read all of it. Waits for a line at most; closes no stream."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

HEAD = 1 << 16  # bytes of a pipe that its encoding is judged by


class Rejoined(io.RawIOBase):
    """What was read of a stream to judge it, then the rest of it. Closing this leaves the stream open: it is not ours."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read = getattr(self._rest, "read1", self._rest.read)  # read1: what has come, without waiting for more
        data = self._head[: len(buffer)] or read(len(buffer))
        self._head = self._head[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def first_bytes(stream: BinaryIO) -> bytes:
    """The first bytes that came, at least a line of them."""
    read = getattr(stream, "read1", stream.read)
    head = b""
    while len(head) < HEAD and b"\n" not in head.lstrip():
        data = read(HEAD - len(head))
        if not data:
            break
        head += data
    return head
