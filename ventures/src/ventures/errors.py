"""One tree of errors. Each says what happened and what to do next; `http` turns them into problem documents (RFC 9457).

VenturesError
├── SettingsError          a setting is missing or wrong (start refused)
├── DatabaseUnfit          the database is not what the platform needs (start refused)
└── Refused                a request that must not be carried out; nothing was changed
    ├── NotSignedIn        401
    ├── Forbidden          403
    ├── NotFound           404  also for whatever belongs to a venture the actor is no member of
    ├── Conflict           409  the state does not allow it now
    ├── Stale              412  changed by somebody else since it was read
    ├── VersionRequired    428  a change of something that exists must say which version it was made on
    ├── Invalid            422  understood, but wrong
    ├── LimitReached       402  the venture's plan does not include more
    ├── TooMany            429  asked too often
    └── Unavailable        503  a part is down; asking again later is right
"""

from collections.abc import Mapping
from typing import ClassVar, Final

NO_SUCH_VENTURE: Final = "There is no such venture, or you are not a member of it."
"""The same for what is not there and for what is not yours, so that nobody learns which."""


class VenturesError(Exception):
    """Root of everything the platform raises on purpose; `str(error)` is a sentence for people."""


class SettingsError(VenturesError):
    """A setting is missing or wrong; the message names it and what it may be."""


class DatabaseUnfit(VenturesError):
    """The database lacks something the platform relies on, such as a role that row-level security binds."""


class Refused(VenturesError):
    """A request that is not carried out. Nothing was changed.

    `kind` is the last part of the problem's `type` and stable; `fields` names what was wrong in the request, by path.
    """

    kind: ClassVar[str] = "refused"
    status: ClassVar[int] = 400

    def __init__(
        self, sentence: str, *, fields: Mapping[str, str] | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.fields = dict(fields or {})
        self.retry_after_seconds = retry_after_seconds


class NotSignedIn(Refused):
    kind = "not-signed-in"
    status = 401


class Forbidden(Refused):
    kind = "forbidden"
    status = 403


class NotFound(Refused):
    kind = "not-found"
    status = 404


class Conflict(Refused):
    kind = "conflict"
    status = 409


class Stale(Refused):
    kind = "stale"
    status = 412


class VersionRequired(Refused):
    kind = "version-required"
    status = 428


class Invalid(Refused):
    kind = "invalid"
    status = 422


class LimitReached(Refused):
    kind = "limit-reached"
    status = 402


class TooMany(Refused):
    kind = "too-many-requests"
    status = 429


class Unavailable(Refused):
    kind = "unavailable"
    status = 503
