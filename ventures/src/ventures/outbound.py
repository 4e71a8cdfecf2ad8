"""Requests to addresses that people typed in: webhooks and the networks posts go to.

A name is resolved here, every address is judged, and the connection goes to an address that was judged, so that a
name cannot point somewhere else a moment later. Private, loopback, link-local and otherwise special addresses (cloud
metadata among them) are refused unless they lie in a network that the settings allow; plain http is spoken inside
those networks only. Redirects are not followed, the environment's proxies are not used, answers are bounded in size
and in time.
"""

import asyncio
import ipaddress
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cache
from typing import Final
from urllib.parse import urlsplit

import httpx2

from ventures.errors import Invalid, VenturesError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""(name, port) → its addresses, best first. Raises: OSError."""

TIMEOUT_SECONDS: Final = 10.0
MOST_ANSWER_BYTES: Final = 262_144
MOST_URL_CHARACTERS: Final = 2_000
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address in the last 32 bits, as resolvers of IPv6-only networks hand out."""
ALSO_SPECIAL: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "168.63.129.16/32",
        "64:ff9b:1::/48",
        "100::/64",
        "5f00::/16",
        "3fff::/20",
    )
)
"""Of IANA's registries of special-purpose addresses, what older releases of Python call global; and where Azure
answers its machines.
"""


class AddressRefused(VenturesError, httpx2.ConnectError):
    """Nothing was sent: the host is at an address the platform does not call."""


class AnswerRefused(VenturesError, httpx2.ReadError):
    """The request was sent; its answer is larger than we read, or encoded although we asked for plain bytes."""


def outbound_client(
    networks: Sequence[Network] = (),
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    most_answer_bytes: int = MOST_ANSWER_BYTES,
    resolve: Resolve | None = None,
    trusted: ssl.SSLContext | None = None,
) -> httpx2.AsyncClient:
    """A client that reaches public addresses by https and, besides, the `networks`.

    timeout_seconds bounds a whole request, from resolving the name to the last byte of the answer
    (httpx2.TimeoutException). Its requests raise httpx2.TransportError; of these ConnectError (AddressRefused is one)
    and ConnectTimeout mean that nothing was sent. It keeps no cookies and no connections.

    trusted: the certificates that servers are known by, instead of the public ones.
    """
    return httpx2.AsyncClient(
        transport=_Guarded(networks, timeout_seconds, most_answer_bytes, resolve or _resolved, trusted or _trusted()),
        timeout=httpx2.Timeout(timeout_seconds, connect=timeout_seconds / 2),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "ventures", "Accept-Encoding": "identity", "Connection": "close"},
    )


def require_callable(url: str, networks: Sequence[Network] = (), *, field: str = "url") -> None:
    """Refuses a URL that can never be called, as soon as somebody types it; names are judged when they are resolved.

    Raises: Invalid, about `field`.
    """
    reason = None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, reason = "", None, "is no URL"
    if reason is None:
        if len(url) > MOST_URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
            reason = f"must be at most {MOST_URL_CHARACTERS} visible ASCII characters"
        elif parts.scheme not in ("https", "http") or not host or port == 0:
            reason = "must be a URL such as https://example.org/inbox"
        elif parts.username is not None or parts.password is not None:
            reason = "must not contain a user name or password"
        else:
            reason = _literal_refused(parts.scheme, host, networks)
    if reason is not None:
        raise Invalid(f"The address {reason}.", fields={field: reason})


def allowed(address: Address, networks: Sequence[Network] = ()) -> bool:
    """Whether the platform may connect there. An IPv4 address inside an IPv6 one is judged itself."""
    judged = _embedded(address)
    return _inside(judged, networks) or (
        judged.is_global
        and not judged.is_multicast
        and not judged.is_reserved
        and not _tunnelled(judged)
        and not _inside(judged, ALSO_SPECIAL)
    )


def _embedded(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _tunnelled(address: Address) -> bool:
    return isinstance(address, ipaddress.IPv6Address) and (address.sixtofour or address.teredo) is not None


def _inside(address: Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _literal_refused(scheme: str, host: str, networks: Sequence[Network]) -> str | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if scheme == "http" and not networks:
            return "must start with https://"
        if not networks and (host == "localhost" or host.endswith((".localhost", ".local", ".internal"))):
            return "names a machine inside a private network"
        return None
    return _why_not(scheme, address, networks)


def _why_not(scheme: str, address: Address, networks: Sequence[Network]) -> str | None:
    if not allowed(address, networks):
        return "is inside a private or special network, which this installation does not allow"
    if scheme == "http" and not _inside(_embedded(address), networks):
        return "must start with https://"
    return None


@cache
def _trusted() -> ssl.SSLContext:
    """Reading the certificates takes tens of milliseconds; clients are made for a few requests."""
    return httpx2.create_ssl_context(trust_env=False)


async def _resolved(host: str, port: int) -> list[Address]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


class _Guarded(httpx2.AsyncBaseTransport):
    """No connection is used twice: a kept one would be found by its address, whatever name its certificate was for."""

    def __init__(
        self,
        networks: Sequence[Network],
        timeout_seconds: float,
        most_answer_bytes: int,
        resolve: Resolve,
        trusted: ssl.SSLContext,
    ) -> None:
        self._networks = tuple(networks)
        self._timeout_seconds = timeout_seconds
        self._most_answer_bytes = most_answer_bytes
        self._resolve = resolve
        self._inner = httpx2.AsyncHTTPTransport(
            verify=trusted, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        deadline = time.monotonic() + self._timeout_seconds
        addresses = await self._judged(request, self._timeout_seconds / 2)
        for tried, address in enumerate(addresses, 1):
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    response = await self._inner.handle_async_request(_pinned(request, address))
            except httpx2.ConnectError:
                if tried == len(addresses):
                    raise
            except TimeoutError:
                raise httpx2.ReadTimeout(f"no answer within {self._timeout_seconds:g} s", request=request) from None
            else:
                return await self._bounded(request, response, deadline)
        raise AddressRefused(f"{request.url.host} has no address")

    async def _judged(self, request: httpx2.Request, seconds: float) -> list[Address]:
        scheme, host = request.url.scheme, request.url.host
        if scheme not in ("https", "http"):
            raise AddressRefused(f"{scheme} is not spoken here; use https")
        try:
            found: Sequence[Address] = [ipaddress.ip_address(host)]
        except ValueError:
            port = request.url.port or (443 if scheme == "https" else 80)
            try:
                found = await asyncio.wait_for(self._resolve(host, port), seconds)
            except TimeoutError:
                raise httpx2.ConnectTimeout(f"{host} was not resolved in time", request=request) from None
            except (OSError, UnicodeError) as error:
                raise httpx2.ConnectError(f"{host} cannot be resolved: {error}", request=request) from None
        reasons = {address: _why_not(scheme, address, self._networks) for address in found}
        good = [address for address, reason in reasons.items() if reason is None]
        if not good:
            why = next(iter(reasons.values()), None) or "has no address"
            raise AddressRefused(f"{host} {why}")
        return good

    async def _bounded(self, request: httpx2.Request, response: httpx2.Response, deadline: float) -> httpx2.Response:
        declared = response.headers.get("content-length", "0")
        too_large = declared.isdigit() and int(declared) > self._most_answer_bytes
        if too_large or response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise AnswerRefused(
                f"the answer of {request.url.host} has {declared} bytes"
                if too_large
                else f"the answer of {request.url.host} is compressed although plain bytes were asked for"
            )
        response.headers.pop("set-cookie", None)  # what one venture is given, another must not send
        response.stream = _BoundedStream(response.stream, self._most_answer_bytes, deadline)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.SyncByteStream | httpx2.AsyncByteStream, most: int, deadline: float) -> None:
        if not isinstance(inner, httpx2.AsyncByteStream):
            raise TypeError("a stream of an asynchronous transport is asynchronous")
        self._inner = inner
        self._most = most
        self._deadline = deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        parts = aiter(self._inner)
        while True:
            try:
                async with asyncio.timeout(self._deadline - time.monotonic()):
                    part = await anext(parts)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise httpx2.ReadTimeout("the answer did not end in time") from None
            size += len(part)
            if size > self._most:
                raise AnswerRefused(f"the answer is larger than {self._most} bytes")
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


def _pinned(request: httpx2.Request, address: Address) -> httpx2.Request:
    """The request to this address; `Host` and the name the certificate must bear stay the ones that were asked for."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
