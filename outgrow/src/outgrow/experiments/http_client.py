"""One service, asked over HTTP: connections that are kept, headers from files, answers bounded in size."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx2

from outgrow.experiments.open_loop import NotAnswered
from outgrow.experiments.recorded import DeclaredRequest, sendable
from outgrow.ports import ExperimentFailed

MOST_BYTES = 32_000_000
_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 5
_KEPT_SECONDS = 60.0


def checked_base(url: str, *, secret: bool, plain: bool) -> str:
    """The URL of a service, without a slash at its end.

    Raises:
        ValueError: it is none, holds credentials, or ``secret`` headers would go out unencrypted although nobody
            accepted that (``plain``).
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as wrong:
        raise ValueError(f"not a URL: {wrong}") from None
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise ValueError("not a URL; write for example http://127.0.0.1:8000")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL must not hold credentials; use headers_file or headers_env")
    if parts.query or parts.fragment:
        raise ValueError("the base of all requests has no ?query and no #fragment")
    if secret and parts.scheme == "http" and not plain and not _loopback(host):
        raise ValueError(
            f"secret headers would go to {host} unencrypted; use https, or write insecure_plain_http: accept-the-risk"
        )
    return url.rstrip("/")


def secret_headers(file: Path | None, variables: Mapping[str, str]) -> dict[str, str]:
    """Headers from a file of lines ``Name: value`` and from variables of the environment.

    Raises:
        ExperimentFailed: one of them is missing, cannot be sent, or others can read the file too.
    """
    headers: dict[str, str] = {}
    for line in _secret_lines(file) if file else ():
        name, colon, value = line.partition(":")
        if not colon or not sendable(name.strip(), value.strip()):
            raise ExperimentFailed(f"{file} must hold lines such as Authorization: Bearer …; one of them is not")
        headers[name.strip()] = value.strip()
    for name, variable in variables.items():
        value = os.environ.get(variable, "").strip()
        if not value or not sendable(name, value):
            what = "cannot be sent as a header" if value else "is not set"
            raise ExperimentFailed(f"the environment's {variable}, for the header {name}, {what}")
        headers[name] = value
    return headers


def _secret_lines(file: Path) -> Sequence[str]:
    try:
        if file.expanduser().stat().st_mode & 0o004:
            raise ExperimentFailed(
                f"everyone on this machine can read the secrets in {file}", next_step=f"Run: chmod o-rwx {file}"
            )
        text = file.expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        reason = failed.strerror if isinstance(failed, OSError) else "it is not UTF-8"
        raise ExperimentFailed(f"{file}, which holds headers, cannot be read: {reason}") from None
    return [line for line in text.splitlines() if line.strip()]


class Service:
    """A service under its base URL. All calls belong to one event loop.

    It speaks to the transport itself: what a client does besides (cookies, authentication, hooks) takes longer than
    many an answer.
    """

    def __init__(self, base: str, headers: Mapping[str, str], connections: int, ca_file: Path | None) -> None:
        self._base = base
        self._headers = {"User-Agent": "outgrow", "Accept": "*/*", "Accept-Encoding": "gzip", **headers}
        limits = httpx2.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEPT_SECONDS
        )
        verify: ssl.SSLContext | Literal[True] = (
            ssl.create_default_context(cafile=str(ca_file.expanduser())) if ca_file else True
        )
        self._transport = httpx2.AsyncHTTPTransport(verify=verify, limits=limits, trust_env=False)
        self.server = ""

    def built(self, request: DeclaredRequest) -> httpx2.Request:
        """What can be sent, any number of times."""
        headers = {**self._headers, **request.sent_headers}
        return httpx2.Request(request.method, self._base + request.path, headers=headers, content=request.content)

    async def ask(self, request: httpx2.Request) -> tuple[int, bytes]:
        """Status and body, decoded. Redirects are followed on the same host alone.

        Raises:
            NotAnswered: no answer, one that breaks off or is too large, a status of 400 or more, a redirect elsewhere.
        """
        for _ in range(_MOST_REDIRECTS):
            try:
                response = await self._transport.handle_async_request(request)
                try:
                    body = await _body(response)
                finally:
                    await response.aclose()
            except httpx2.DecodingError:
                raise NotAnswered("an answer that cannot be decompressed") from None
            except (httpx2.TransportError, ssl.SSLError, OSError) as failed:
                raise NotAnswered(_cause(failed)) from None
            if response.status_code >= 400:
                raise NotAnswered(f"status {response.status_code}")
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or location is None:
                self.server = self.server or response.headers.get("server", "")
                return response.status_code, body
            request = _redirected(request, response.status_code, location)
        raise NotAnswered(f"more than {_MOST_REDIRECTS} redirects")

    async def close(self) -> None:
        """Gives connections back."""
        await self._transport.aclose()


async def _body(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise NotAnswered(f"an answer of more than {MOST_BYTES // 1_000_000} MB")
    return bytes(body)


def _redirected(request: httpx2.Request, status: int, location: str) -> httpx2.Request:
    try:
        url = request.url.join(location)
    except (httpx2.InvalidURL, ValueError):
        raise NotAnswered("a redirect to no URL") from None
    if (url.scheme, url.host, url.port) != (request.url.scheme, request.url.host, request.url.port):
        raise NotAnswered(f"a redirect to another host ({url.host})")
    becomes_get = status == 303 or (status in (301, 302) and request.method == "POST")
    method = "GET" if becomes_get and request.method != "HEAD" else request.method
    content = None if becomes_get else request.content
    dropped = ("host", "content-length", *(("content-type",) if becomes_get else ()))
    headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
    return httpx2.Request(method, url, headers=headers, content=content)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _cause(failed: BaseException) -> str:
    said = " ".join(str(failed).split())[:120]
    return said or {"RemoteProtocolError": "it broke off", "ReadError": "it broke off"}.get(
        type(failed).__name__, type(failed).__name__
    )
