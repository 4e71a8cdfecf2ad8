"""What an HTTP answer to a request that publishes says about whether it was carried out."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from ventures.posts.ports import Failed, Unknown

DOUBTFUL_CLIENT_ERRORS = frozenset({408, 409})
"""Request Timeout and Conflict: said of a request that another is still carrying out."""


def of_error(error: httpx2.TransportError) -> Failed | Unknown:
    """A request that got no answer: not out where no connection was made, otherwise nobody knows."""
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Failed(problem=f"The server cannot be reached ({reason}).", again=True)
    return Unknown(problem=f"The server did not answer ({reason}).")


def of_status(response: httpx2.Response, now: datetime, said: str = "") -> Failed | Unknown:
    """An answer that is no success. `said`: the server's own words."""
    status = response.status_code
    problem = f"The server answered {status}{f' ({said[:500]})' if said else ''}."
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return Failed(problem=problem, again=True, retry_after_seconds=retry_after_seconds(response, now))
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR or status in DOUBTFUL_CLIENT_ERRORS:
        return Unknown(problem=problem)
    return Failed(problem=problem)


def retry_after_seconds(response: httpx2.Response, now: datetime) -> float | None:
    """Of `Retry-After` (RFC 9110: seconds or a date), else of Mastodon's `X-RateLimit-Reset` (ISO 8601).

    A date is meant by the server's clock, as its header `Date` shows it; `now` where it shows none.
    """
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    at = _date(text) or _iso(response.headers.get("x-ratelimit-reset", "").strip())
    since = _date(response.headers.get("date", "")) or now
    return None if at is None else max((at - since).total_seconds(), 0.0)


def _date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _iso(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
