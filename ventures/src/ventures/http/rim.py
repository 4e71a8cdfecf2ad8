"""What holds for every request, whichever resource it is for.

`Gate` stands before the handlers and refuses what none of them should see: too many requests, bodies that are not JSON,
text PostgreSQL cannot keep. `Rim` stands around everything and looks at each answer: security headers, HEAD, 304,
metrics, and that nothing leaves a venture without a permission having been asked for.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Set
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from litestar import Request
from litestar.enums import ScopeType
from litestar.exceptions import ClientException, HTTPException, InternalServerException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from ventures.errors import Invalid, NotSignedIn, TooMany
from ventures.http.authentication import BELIEVED, token_of
from ventures.http.exchange import PERMISSION
from ventures.http.problems import PROBLEM_TYPE, Problem
from ventures.http.rate_limits import Believed, Buckets, Verdict, network

log = logging.getLogger(__name__)
GUARDED: Final = "/v1/ventures/{venture}"
"""Every route from here on answers only to who has a permission in the venture."""
UNLIMITED: Final = frozenset({"/healthz", "/readyz", "/metrics"})
STRICT: Final = frozenset({("POST", "/v1/accounts"), ("POST", "/v1/sessions")})
STRICT_SHARE: Final = 20
"""Hashing a password costs a hundred times what a request does: signing up and in have a twentieth of the limit."""
VERDICT: Final = "ventures.verdict"
NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
HTTPS_ONLY: Final = (b"strict-transport-security", b"max-age=31536000")
UNGUARDED: Final = msgspec.json.encode(
    Problem("urn:ventures:problem:fault", "Fault", 500, "Something went wrong on our side. It was logged.", "")
)

Counted = Callable[[str, str, int, float], None]
"""(method, route template, status, seconds)"""


class JsonRequest(Request[Any, Any, Any]):
    """A request whose body is text that PostgreSQL can keep, before anybody decodes it."""

    async def body(self) -> bytes:
        """Raises: Invalid for an escaped NUL; ClientException where the body is no UTF-8, or not there to its end."""
        try:
            content = await super().body()
        except InternalServerException:  # what the framework says of a client that left
            raise ClientException("The body ended early.") from None
        if b"\\u0000" in content and NUL.search(content):
            raise Invalid("Text must not contain NUL characters (\\u0000).", fields={"body": "contains NUL"})
        try:
            content.decode()
        except UnicodeDecodeError:
            raise ClientException("The body is no UTF-8.") from None
        return content

    async def json(self) -> Any:
        """Raises: ClientException where it is nested too deep to be read, and what `body` raises."""
        try:
            return await super().json()
        except RecursionError:
            raise ClientException("The body is nested too deep.") from None


class Gate(ASGIMiddleware):
    """Refuses before a handler runs. `per_minute`: requests of one caller; `clock` in seconds, monotonic."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests = Buckets(per_minute, clock)
        self._strict = Buckets(max(10, per_minute // STRICT_SHARE), clock)
        self._believed = Believed()

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        assert scope["type"] == ScopeType.HTTP
        digest = None
        if scope["path_template"] not in UNLIMITED:
            digest = self._limited(scope)
        _readable(scope)
        try:
            await next_app(scope, receive, send)
        except NotSignedIn:
            if digest is not None:
                self._believed.forget(digest)
            raise
        finally:
            if (believed := scope["state"].get(BELIEVED)) is not None:
                self._believed.note(*believed)

    def _limited(self, scope: HTTPScope) -> bytes | None:
        """Takes a request from the caller's bucket; the digest of the token it came with. Raises: TooMany."""
        presented = token_of(Request(scope))
        client = scope.get("client")
        caller = None if presented is None else self._believed.caller(presented.digest)
        address = network(client[0]) if client else "local"
        if (scope["method"], scope["path_template"]) in STRICT:
            verdict = self._strict.take(address)
            if verdict.wait_seconds:
                raise _too_many(verdict)
        verdict = self._requests.take(address if caller is None else caller)
        scope["state"][VERDICT] = verdict
        if verdict.wait_seconds:
            raise _too_many(verdict)
        return None if presented is None else presented.digest


def _too_many(verdict: Verdict) -> TooMany:
    return TooMany(
        f"More than {verdict.limit} requests a minute. Try again in {max(1, round(verdict.wait_seconds))} s.",
        retry_after_seconds=verdict.wait_seconds,
    )


def _readable(scope: HTTPScope) -> None:
    """Raises: Invalid for NUL in the address or a header; 415 for a body not said to be JSON."""
    if "\0" in scope["path"] or b"\0" in unquote_to_bytes(scope["query_string"]):
        raise Invalid("The address contains a NUL character.")
    length = kind = b""
    streamed = False
    for name, value in scope["headers"]:
        if b"\0" in value:
            raise Invalid("A header contains a NUL character.")
        if name == b"content-length":
            length = value
        elif name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
        elif name == b"transfer-encoding":
            streamed = True
    if scope["method"] in BODILESS or (not streamed and length in (b"", b"0")):
        return
    if kind != b"application/json":
        raise HTTPException(status_code=415, detail="Send the body as Content-Type: application/json.")


class Rim:
    """Around the whole application, its answers to errors included. methods: of each route template. began, counted:
    are told of each request when it comes and when it is answered.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        https: bool,
        methods: Mapping[str, Set[str]],
        began: Callable[[], None],
        counted: Counted,
    ) -> None:
        self._app = app
        self._allow = {
            route: ", ".join(sorted(known | {"HEAD"} if "GET" in known else known)).encode()
            for route, known in methods.items()
        }
        self._headers = [*SECURITY, HTTPS_ONLY] if https else list(SECURITY)
        self._began = began
        self._counted = counted

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        self._began()
        began = time.perf_counter()
        method = scope["method"]
        if method == "HEAD":  # the server keeps the scope it gave us: it has to know that no body follows
            scope = {**scope, "method": "GET"}
        status, body = 500, None

        async def answered(message: Message) -> None:
            nonlocal status, body
            if message["type"] == "http.response.start":
                body = self._looked_at(scope, method, message)
                status = message["status"]
            elif message["type"] == "http.response.body" and body is not None:
                message["body"], body = body, b""
            await send(message)

        try:
            await self._app(scope, receive, answered)
        finally:
            self._counted(method, scope.get("path_template") or "none", status, time.perf_counter() - began)

    def _looked_at(self, scope: Any, method: str, start: Any) -> bytes | None:
        """Completes the head of an answer; what its body is to be instead, None where it stays."""
        body = b"" if method == "HEAD" else None
        if _unguarded(scope, method, start["status"]):
            log.error("%s %s answers without asking for a permission", method, scope["path_template"])
            start["status"], body = 500, UNGUARDED
            start["headers"] = [(b"content-type", PROBLEM_TYPE.encode())]
        headers = list(start["headers"])
        names = {name.lower(): value for name, value in headers}
        if b"etag" in names and start["status"] == 200 and _matches(scope, names[b"etag"]):
            start["status"], body = 304, b""
            headers = [one for one in headers if one[0].lower() not in (b"content-length", b"content-type")]
        if scope["method"] == "OPTIONS" and b"allow" in names:  # the framework's names those of one handler only
            allow = self._allow.get(scope["path_template"], names[b"allow"])
            headers = [one for one in headers if one[0].lower() != b"allow"] + [(b"allow", allow)]
        headers += [one for one in self._headers if one[0] not in names]
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"private, no-cache" if b"etag" in names else b"no-store"))
        verdict: Verdict | None = scope["state"].get(VERDICT)
        if verdict is not None:
            headers.append((b"ratelimit-policy", b'"caller";q=%d;w=60' % verdict.limit))
            headers.append((b"ratelimit", b'"caller";r=%d;t=%d' % (verdict.left, round(verdict.full_after_seconds))))
        start["headers"] = headers
        return body


def _unguarded(scope: Any, method: str, status: int) -> bool:
    return (
        status < 400
        and method != "OPTIONS"
        and (scope.get("path_template") or "").startswith(GUARDED)
        and PERMISSION not in scope["state"]
    )


def _matches(scope: Any, etag: bytes) -> bool:
    """If-None-Match, by weak comparison (RFC 9110, 13.1.2), of a GET or HEAD."""
    if scope["method"] != "GET":
        return False
    asked = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    tags = {tag.strip().removeprefix(b"W/") for tag in asked.split(b",")}
    return b"*" in tags or etag.removeprefix(b"W/") in tags
