"""Every answer that is not the thing asked for: a problem document (RFC 9457).

`type` is `urn:ventures:problem:KIND`; the kinds stand in docs/reference/ventures-problems.md. `errors` names fields
by path.
"""

import logging
import re
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from ventures.errors import Refused

log = logging.getLogger(__name__)
PROBLEM_TYPE = "application/problem+json"
DETAILS = {
    HTTPStatus.BAD_REQUEST: "The request could not be read. Is the body JSON, in UTF-8?",
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take {method}; the header Allow says what it does.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large: a request may have 1,000,000 bytes.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "Send the body as Content-Type: application/json.",
}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """RFC 9457, with `errors` (path → what is wrong) for requests that were not well-formed."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: dict[str, str] = {}


def of_refusal(request: Request[Any, Any, Any], refused: Refused) -> Response[Problem]:
    """A refusal of the platform."""
    headers = {}
    if refused.retry_after_seconds is not None:
        headers["Retry-After"] = str(max(1, round(refused.retry_after_seconds)))
    if refused.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="ventures"'
    return _problem(request, refused.kind, refused.status, str(refused), refused.fields, headers)


def of_validation(request: Request[Any, Any, Any], error: ValidationException) -> Response[Problem]:
    """A request whose path, query or body is not what the operation takes."""
    fields = {}
    for one in error.extra if isinstance(error.extra, list) else ():
        if isinstance(one, dict):
            fields[str(one.get("key") or one.get("source") or "request")] = _kindly(str(one.get("message", "")))
    return _problem(request, "invalid", 422, "The request is not what this operation takes.", fields)


def _kindly(message: str) -> str:
    """A decoder's message in words for people."""
    if "matching regex" in message:
        return "must have something to read in it, and no control characters"
    if found := re.search(r"`str` of length >= (\d+)", message):
        return f"must have at least {found[1]} characters"
    if found := re.search(r"`str` of length <= (\d+)", message):
        return f"must have at most {found[1]} characters"
    return message or "not accepted"


def of_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """What the framework itself refuses: no such path, wrong method, too large, not JSON."""
    status = HTTPStatus(error.status_code)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return of_fault(request, error)
    kind = status.phrase.lower().replace(" ", "-").replace("'", "")
    detail = DETAILS.get(status, error.detail or status.description)
    return _problem(request, kind, status, detail.format(method=request.method), {}, dict(error.headers or {}))


def of_fault(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """A bug of ours: logged with its trace, answered without it."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _problem(
        request, "fault", 500, "Something went wrong on our side. It was logged; nothing of this request was kept.", {}
    )


def _problem(
    request: Request[Any, Any, Any],
    kind: str,
    status: int,
    detail: str,
    fields: dict[str, str],
    headers: dict[str, str] | None = None,
) -> Response[Problem]:
    return Response(
        Problem(
            type=f"urn:ventures:problem:{kind}",
            title=kind.replace("-", " ").capitalize(),
            status=status,
            detail=detail,
            instance=request.url.path,
            errors=fields,
        ),
        status_code=status,
        headers=headers,
        media_type=PROBLEM_TYPE,
    )


HANDLERS: dict[int | type[Exception], Any] = {
    Refused: of_refusal,
    ValidationException: of_validation,
    HTTPException: of_http,
    Exception: of_fault,
}
