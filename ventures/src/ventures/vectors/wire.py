"""What goes over the socket between a process that asks and one that holds stores.

A frame is the length of its body (4 bytes, big-endian) and the body: one message in msgpack. Vectors travel as the
bytes of float32 numbers, little-endian; ids as 16 bytes. A frame that is too long, or that cannot be read, ends the
connection: nothing after it can be trusted.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, TypeAlias
from uuid import UUID

import msgspec
import numpy as np

from ventures.errors import Invalid, SettingsError
from ventures.vectors.records import LIMIT, Held, Kind, Match, Only, Vector

FRAME_BYTES: Final = 1 << 20
"""The longest body. A search with a vector of 4,096 numbers and narrowed to 1,000 sources has 34 kB, its answer with
1,000 matches 28 kB.
"""
LENGTH_BYTES: Final = 4
PATH_BYTES: Final = 103
"""What a Unix socket's path may have: 107 on Linux, 103 on macOS (`sun_path` less its end)."""
LONGEST: Final = "16.sock"
"""The longest name of a socket."""


class Search(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """A search. until: when nobody waits for the answer any more, in seconds of the machine's monotonic clock."""

    number: int
    until: float
    store: Annotated[str, msgspec.Meta(max_length=100)]
    venture: UUID
    kind: Kind
    vector: bytes
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT)]
    only: Only


class Ping(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """Whether anybody answers at all: with `Pong`."""

    number: int


class Pong(msgspec.Struct, frozen=True, array_like=True, tag="q"):
    """Answers `Ping`."""

    number: int


class Status(msgspec.Struct, frozen=True, array_like=True, tag="t"):
    """How the stores of the process are."""

    number: int


class Holding(msgspec.Struct, frozen=True, array_like=True, tag="h"):
    """What a store holds of a venture, behind an id, in the order of ids: to compare it with what it should."""

    number: int
    store: Annotated[str, msgspec.Meta(max_length=100)]
    venture: UUID
    after: UUID | None
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT)]


class HowFar(msgspec.Struct, frozen=True, array_like=True, tag="w"):
    """How far a store is for a venture."""

    number: int
    store: Annotated[str, msgspec.Meta(max_length=100)]
    venture: UUID


class Refill(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """Put the venture into the store from nothing: what it holds is not right."""

    number: int
    store: Annotated[str, msgspec.Meta(max_length=100)]
    venture: UUID


class Holds(msgspec.Struct, frozen=True, array_like=True, tag="l"):
    """Answers `Holding`. position: of the venture's log, which the store had reached before it was read."""

    number: int
    held: list[Held]
    position: int


class Reached(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """Answers `HowFar` and `Refill`. position: up to where the store knows the venture's log; None where it does not
    have the venture (yet). fault: why the store cannot be written, "" where it can.
    """

    number: int
    position: int | None
    fault: str


class Found(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """Answers `Search`. position: the seq of the venture's log up to which the store knows it."""

    number: int
    matches: list[Match]
    position: int


class Cannot(msgspec.Struct, frozen=True, array_like=True, tag="c"):
    """Answers whatever cannot be answered otherwise. why: a sentence for people."""

    number: int
    why: str


class StoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one store in one index process is.

    process: the process's number, from 1. points: of all its ventures. parts: of how many parts it is now.
    resident_bytes: of the whole process. filled, behind: ventures it has whole, and those it is still reading.
    flushed_seconds_ago: None where nothing was flushed yet. fault: why it cannot be opened or written, "" where it can.
    """

    store: str
    process: int
    points: int
    parts: int
    resident_bytes: int
    disk_bytes: int
    filled: int
    behind: int
    flushed_seconds_ago: float | None
    fault: str


class Standing(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """Answers `Status`."""

    number: int
    stores: list[StoreStatus]


Request: TypeAlias = Search | Status | Ping | Holding | HowFar | Refill
Reply: TypeAlias = Found | Cannot | Standing | Pong | Holds | Reached


class FrameTooLong(Exception):
    """The other side announces more than `FRAME_BYTES`."""


_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
requests: Final = msgspec.msgpack.Decoder(Request)
replies: Final = msgspec.msgpack.Decoder(Reply)


def framed(message: Request | Reply) -> bytes:
    """The message as a frame. Raises: Invalid where it would be too long."""
    frame = bytearray(LENGTH_BYTES)
    _encoder.encode_into(message, frame, LENGTH_BYTES)
    if len(frame) > LENGTH_BYTES + FRAME_BYTES:
        raise Invalid("The search names too many sources or states; narrow it to fewer.")
    frame[:LENGTH_BYTES] = (len(frame) - LENGTH_BYTES).to_bytes(LENGTH_BYTES, "big")
    return bytes(frame)


class Frames:
    """Puts the bytes that arrive together into bodies."""

    def __init__(self) -> None:
        self._arrived = bytearray()

    def of(self, data: bytes) -> Iterator[bytes]:
        """The bodies that are whole now. Raises: FrameTooLong."""
        self._arrived += data
        while len(self._arrived) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._arrived[:LENGTH_BYTES], "big")
            if end > LENGTH_BYTES + FRAME_BYTES:
                raise FrameTooLong(f"a frame of {end - LENGTH_BYTES} bytes was announced")
            if len(self._arrived) < end:
                return
            body = bytes(self._arrived[LENGTH_BYTES:end])
            del self._arrived[:end]
            yield body


def packed(vector: Vector) -> bytes:
    """The vector's numbers as they travel."""
    return np.asarray(vector, dtype="<f4").tobytes()


def unpacked(numbers: bytes) -> Vector:
    """The vector of these bytes. Raises: ValueError where they are no whole numbers."""
    return np.frombuffer(numbers, dtype="<f4")


def sockets(data: Path) -> Path:
    """The folder of the index processes' sockets: `index` within the data folder, or where its path is too long for a
    socket a short one. For its owner alone; see `private`.
    """
    near = data / "index"
    if len(os.fsencode(near / LONGEST)) <= PATH_BYTES:
        return near
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path("/tmp") / f"ventures-index-{os.geteuid()}-{digest}"  # noqa: S108 (checked by `private`)


def socket_of(data: Path, number: int) -> Path:
    """Where index process `number` (from 1) listens."""
    return sockets(data) / f"{number}.sock"


def private(folder: Path) -> Path:
    """The folder, made for us alone. Raises: SettingsError where it is somebody else's, or others may enter it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.geteuid() or folder.is_symlink():
        raise SettingsError(f"{folder} belongs to somebody else; remove it, or set VENTURES_DATA to another folder.")
    folder.chmod(0o700)
    return folder


def require_ours(folder: Path) -> None:
    """For who connects: whoever else could put a socket there would be told what is looked for.

    Raises: OSError where it is not there, is somebody else's, or others may write to it.
    """
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder of our own alone")
