"""What may go wrong, typed.

ClientError
├── NotReached             no answer came; it is not known whether the request was carried out
├── Unreadable             an answer came that is not of this API or this version of it
└── Problem                the platform refused (RFC 9457); nothing was changed
    ├── NotSignedIn        401
    ├── LimitReached       402
    ├── Forbidden          403
    ├── NotFound           404
    ├── Conflict           409
    ├── Stale              412  read it again and decide anew
    ├── Invalid            422  `errors` names the fields
    ├── VersionRequired    428
    ├── TooMany            429
    └── Unavailable        503
"""

from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus

import msgspec


class ClientError(Exception):
    """Root of what the client raises on purpose."""


class NotReached(ClientError):
    """No answer came, also after trying again where that is safe."""


class Unreadable(ClientError):
    """An answer that this client cannot read: another version of the platform, or something in between."""


class Problem(ClientError):
    """A refusal. kind: stable name of what is wrong; detail: a sentence for people; errors: field → what is wrong."""

    def __init__(
        self,
        kind: str,
        status: int,
        detail: str,
        errors: Mapping[str, str] | None = None,
        *,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = status
        self.detail = detail
        self.errors = dict(errors or {})
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        fields = "".join(f"\n  {field}: {wrong}" for field, wrong in self.errors.items())
        return f"{self.detail} ({self.status} {self.kind}){fields}"


class NotSignedIn(Problem): ...


class LimitReached(Problem): ...


class Forbidden(Problem): ...


class NotFound(Problem): ...


class Conflict(Problem): ...


class Stale(Problem): ...


class Invalid(Problem): ...


class VersionRequired(Problem): ...


class TooMany(Problem): ...


class Unavailable(Problem): ...


KINDS: Mapping[int, type[Problem]] = {
    401: NotSignedIn,
    402: LimitReached,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Stale,
    422: Invalid,
    428: VersionRequired,
    429: TooMany,
    503: Unavailable,
}


PHRASES: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}


class Document(msgspec.Struct, frozen=True):
    """A problem document as it comes."""

    type: str
    detail: str = ""
    title: str = ""
    errors: dict[str, str] = {}


def problem_of(status: int, media_type: str, content: bytes, retry_after: str | None) -> Problem:
    """What an answer with an error's status means; an answer of a proxy becomes one as well."""
    phrase = PHRASES.get(status, "Error")
    document = Document("about:blank", phrase)
    if media_type.startswith("application/problem+json"):
        with suppress(msgspec.MsgspecError):
            document = msgspec.json.decode(content, type=Document)
    kind = document.type.rpartition(":")[2] if document.type != "about:blank" else phrase.lower().replace(" ", "-")
    seconds = float(retry_after) if retry_after is not None and retry_after.strip().isdigit() else None
    made = KINDS.get(status, Problem)
    return made(kind, status, document.detail or document.title or phrase, document.errors, retry_after_seconds=seconds)
