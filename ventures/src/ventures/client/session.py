"""One door to the platform: sends requests, repeats them where that is safe, reads answers."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Protocol, TypeVar, cast
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx2
import msgspec

from ventures.client.problems import NotReached, Unreadable, problem_of

T = TypeVar("T")

SAFE: Final = frozenset({"GET", "HEAD"})
TOO_MANY, UNAVAILABLE = 429, 503
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 10.0


class Versioned(Protocol):
    """Whatever was read with its version."""

    @property
    def version(self) -> int: ...


class Session:
    """What all operations send their requests by. An API key is sent with each of them, or the cookie of whoever
    signed in, then with the session's CSRF token.

    A request is repeated, up to `attempts` times in all with growing pauses, where no answer came or the platform is
    busy: always when no connection was made or it said 429; otherwise (503, a lost connection) only reads, and requests
    with an idempotency key, which the platform carries out once however often they come. It is not repeated where the
    platform asks for more than `LONGEST_PAUSE_SECONDS` of patience.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None,
        timeout_seconds: float,
        attempts: int,
        transport: httpx2.BaseTransport | None,
        sleep: Callable[[float], None],
    ) -> None:
        headers = {"User-Agent": "ventures-client"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx2.Client(base_url=base_url, headers=headers, timeout=timeout_seconds, transport=transport)
        self._attempts = attempts
        self._sleep = sleep
        self.csrf_token: str | None = None

    def send(
        self,
        method: str,
        path: str,
        into: type[T],
        *,
        query: Mapping[str, Any] | None = None,
        body: msgspec.Struct | None = None,
        key: str | None = None,
        version: int | Versioned | None = None,
    ) -> T:
        """One request. into: what its answer is decoded to; None or bytes where it is not JSON.

        key: its Idempotency-Key. version: what it changes, or its version, sent as If-Match.

        Raises: Problem, NotReached, Unreadable.
        """
        headers = {} if into is bytes else {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        if version is not None:
            headers["If-Match"] = f'"{version if isinstance(version, int) else version.version}"'
        if self.csrf_token is not None and method not in SAFE:
            headers["X-CSRF-Token"] = self.csrf_token
        answer = self._answer(
            self._http.build_request(
                method,
                path,
                params={name: _text(value) for name, value in (query or {}).items() if value is not None},
                content=None if body is None else msgspec.json.encode(body),
                headers=headers,
            ),
            repeatable=method in SAFE or key is not None,
        )
        return _decoded(answer, into)

    def _answer(self, request: httpx2.Request, *, repeatable: bool) -> httpx2.Response:
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                answer = self._http.send(request)
            except httpx2.TransportError as error:
                if last or not (repeatable or isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)):
                    doubt = "" if request.method in SAFE else " Whether it was carried out is not known."
                    raise NotReached(
                        f"{request.method} {request.url} got no answer ({type(error).__name__}: {error}).{doubt}"
                    ) from error
                self._sleep(_pause(attempt, None))
                continue
            if answer.is_success:
                return answer
            problem = problem_of(
                answer.status_code,
                answer.headers.get("content-type", ""),
                answer.content,
                answer.headers.get("retry-after"),
            )
            busy = answer.status_code == TOO_MANY or (answer.status_code == UNAVAILABLE and repeatable)
            if last or not busy or (problem.retry_after_seconds or 0) > LONGEST_PAUSE_SECONDS:
                raise problem
            self._sleep(_pause(attempt, problem.retry_after_seconds))
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Closes its connections."""
        self._http.close()


def path(template: str, *parts: object) -> str:
    """The path with each {} replaced by a part, which stays one segment whatever it holds."""
    return template.format(*(quote(str(part), safe="") for part in parts))


def key_or_new(key: str | None) -> str:
    """The caller's idempotency key, or a new one for this request and its repetitions."""
    return uuid4().hex if key is None else key


def _pause(attempt: int, asked_seconds: float | None) -> float:
    if asked_seconds is not None:
        return asked_seconds
    longest = min(FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1), LONGEST_PAUSE_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311  spreads repetitions, guards nothing


def _text(value: Any) -> str | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str | int | float | UUID):
        return str(value)
    if isinstance(value, Sequence):
        return [str(_text(one)) for one in value]
    raise TypeError(f"{value!r} cannot stand in a query")


def _decoded(answer: httpx2.Response, into: type[T]) -> T:
    if into is bytes:
        return cast(T, answer.content)
    if into is type(None):
        return None
    try:
        return msgspec.json.decode(answer.content, type=into)
    except msgspec.MsgspecError as error:
        raise Unreadable(
            f"{answer.request.method} {answer.request.url} answered {answer.status_code} with something else than this "
            f"client knows ({error}): use the client of the platform's version."
        ) from error
