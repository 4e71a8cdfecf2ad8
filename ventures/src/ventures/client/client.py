"""The client a program uses."""

import time
from collections.abc import Callable
from types import TracebackType

import httpx2

from ventures.client.operations import Operations
from ventures.client.records import Credentials, Opened
from ventures.client.session import Session

LOCAL = "http://127.0.0.1:8400"


class Client(Operations):
    """A program's way to a running platform, by an API key or, after `sign_in`, as a person. For one thread at a time.

    timeout_seconds: for connecting, and for each wait for bytes. attempts: how often a request is sent at most, where
    sending it again is safe. transport: another way than the network, for tests.
    """

    def __init__(
        self,
        base_url: str = LOCAL,
        *,
        key: str | None = None,
        timeout_seconds: float = 30.0,
        attempts: int = 5,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if attempts < 1:
            raise ValueError("A request is sent at least once: attempts ≥ 1.")
        self._key = key is not None
        self._session = Session(
            base_url, key=key, timeout_seconds=timeout_seconds, attempts=attempts, transport=transport, sleep=sleep
        )
        super().__init__(self._session)

    def sign_in(self, email: str, password: str, *, device: str = "ventures-client") -> Opened:
        """Signs in as a person: all later requests of this client are theirs. Raises: Problem, NotReached."""
        if self._key:
            raise ValueError("This client has an API key already: sign in with another one.")
        opened = self.accounts.sign_in(Credentials(email=email, password=password, device=device))
        self._session.csrf_token = opened.csrf_token
        return opened

    def close(self) -> None:
        """Closes its connections; the session stays open until it ends or is ended (`accounts.sign_out`)."""
        self._session.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
