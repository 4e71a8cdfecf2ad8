"""A store of points on Qdrant Edge, in a process of its own: what a server of Qdrant is to an application and a move.

    python -m benchmarks.faults.edge FOLDER SOCKET

One request at a time, each of a driver's calls one request, so that what a killed client asked for may come late. It
can be told to answer slowly, and to take up some requests of moves only after others.
"""

from __future__ import annotations

import copyreg
import pickle
import random
import selectors
import socket
import struct
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from outgrow.movers.point_layout import Layout
from outgrow.movers.point_store import Driver, Held, PointStore
from outgrow.movers.points import open_store
from outgrow.ports import Clock, Copying, Store, StoreFailed

LAYOUT = Layout("bucket_{bucket}", "tenant", 2)
SIZE = 4
ANSWER_SECONDS = 10.0
_LENGTH = struct.Struct("<I")


def _sendable(vector: memoryview[Any]) -> Any:
    return list, (vector.tolist(),)


copyreg.pickle(memoryview, _sendable)


def send(peer: socket.socket, message: object) -> None:
    """One message."""
    body = pickle.dumps(message)
    peer.sendall(_LENGTH.pack(len(body)) + body)


def receive(peer: socket.socket) -> Any:
    """One message; raises ``EOFError`` where the other side is gone."""
    return pickle.loads(_exactly(peer, _LENGTH.unpack(_exactly(peer, _LENGTH.size))[0]))


def _exactly(peer: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count:
        some = peer.recv(count - len(got))
        if not some:
            raise EOFError
        got += some
    return bytes(got)


class Remote:
    """A ``Driver`` over the socket: each call is a request. Not ``alone``: others write, and requests come late."""

    alone = False

    def __init__(self, path: str, who: str) -> None:
        self._path, self._who = path, who
        self._peer: socket.socket | None = None

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *given: self.ask(method, *given)

    def ask(self, method: str, *given: Any) -> Any:
        """Raises ``StoreFailed``: then it is not known whether it was done, or will be."""
        try:
            if self._peer is None:
                self._peer = socket.socket(socket.AF_UNIX)
                self._peer.settimeout(ANSWER_SECONDS)
                self._peer.connect(self._path)
                send(self._peer, ("hello", self._who))
                receive(self._peer)
            send(self._peer, (method, *given))
            answer = receive(self._peer)
        except (OSError, EOFError) as error:
            self.close()
            why = str(error) or type(error).__name__
            raise StoreFailed(f"the store edge does not answer: {why}", next_step="It is tried again.") from None
        if isinstance(answer, StoreFailed):
            raise answer
        return answer

    def close(self) -> None:
        """Gives the connection back."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None


def edge_store(path: str, who: str, name: str = "edge") -> PointStore:
    """The store, as a move sees it."""
    return PointStore(name, cast("Driver", Remote(path, who)), LAYOUT, "cosine", SIZE)


def open_mover(settings: Mapping[str, Any], clock: Clock) -> Copying:
    """``kind: faults-points``: between ``edge`` and ``pg``, as source and target say."""
    del clock

    def opened(name: str) -> Store:
        if name == "edge":
            return edge_store(settings["socket_path"], "outgrow migrate")
        return open_store({"kind": "pgvector", "url": settings["url"]}, name)

    return Copying(opened(settings["source"]), opened(settings["target"]))


class Serving:
    """The server's loop. Hello of a writer ends what an older one of that name left unread: a restarted writer knows
    that nothing of its own comes late."""

    def __init__(self, folder: Path, path: str) -> None:
        from benchmarks.faults.edge_engine import Engine  # what alone needs the library

        self.engine = Engine(folder, LAYOUT, SIZE)
        self.delay_seconds = 0.0
        self.late_share = 0.0
        self.late: list[tuple[float, socket.socket, tuple[Any, ...]]] = []
        self.names: dict[socket.socket, str] = {}
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        Path(path).unlink(missing_ok=True)
        self.listener.bind(path)
        self.listener.listen(64)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def run(self) -> None:
        """For ever."""
        while True:
            for key, _ in self.selector.select(0.02 if self.late else None):
                peer = cast("socket.socket", key.fileobj)
                if peer is self.listener:
                    peer, _ = self.listener.accept()
                    peer.settimeout(ANSWER_SECONDS)
                    self.selector.register(peer, selectors.EVENT_READ)
                elif peer.fileno() >= 0:
                    self._request(peer)
            now = time.monotonic()
            for one in [one for one in self.late if one[0] <= now]:
                self.late.remove(one)
                self._answer(one[1], one[2])

    def _request(self, peer: socket.socket) -> None:
        try:
            request = receive(peer)
        except (OSError, EOFError):
            self._forget(peer)
            return
        name = self.names.get(peer, "")
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        if name.startswith("outgrow") and random.random() < self.late_share:
            self.late.append((time.monotonic() + random.uniform(0.0, 1.0), peer, request))
            return
        self._answer(peer, request)

    def _answer(self, peer: socket.socket, request: tuple[Any, ...]) -> None:
        answer = self._done(peer, *request)
        try:
            send(peer, answer)
        except OSError:
            self._forget(peer)

    def _done(self, peer: socket.socket, method: str, *given: Any) -> Any:
        if method == "hello":
            if not given[0].startswith("outgrow"):
                for other in [one for one, name in self.names.items() if name == given[0]]:
                    self._forget(other)
            self.names[peer] = given[0]
            return None
        if method == "disturb":
            self.delay_seconds, self.late_share = given
            return None
        try:
            return getattr(self.engine, method)(*given)
        except StoreFailed as failed:
            return failed

    def _forget(self, peer: socket.socket) -> None:
        self.names.pop(peer, None)
        if peer.fileno() >= 0:
            self.selector.unregister(peer)
            peer.close()


def held_of(tenant: str, number: int, vector: list[float], value: str) -> Held:
    """A point as an application writes it."""
    return Held(number, vector, {"tenant": tenant, "v": value})


if __name__ == "__main__":
    Serving(Path(sys.argv[1]), sys.argv[2]).run()
