"""One HTTP request with credentials from files, bounded in time and size. Shared by the sources that speak HTTP."""

from __future__ import annotations

import base64
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import httpx2
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from outgrow.errors import SourceError
from outgrow.points.declaration import Duration, Quantity

_ACCEPTED = "accept-the-risk"
_INLINE_SECRETS = ("password", "token", "bearer_token", "authorization", "secret")
_HEADERS = {"User-Agent": "outgrow"}


class Unreachable(SourceError):
    """Nobody answered at all, or not in time: asking again at once is useless."""


def _accepted(value: Any) -> Any:
    if value is True:
        raise ValueError(f"anyone on the way could read and change what is exchanged; if so be it, write {_ACCEPTED}")
    return None if value is False else value


Accepted = Annotated[Literal["accept-the-risk"] | None, BeforeValidator(_accepted)]


class Late(Unreachable):
    """The answer did not come in time; a smaller question might be answered."""


class TooLarge(SourceError):
    """The answer is larger than allowed; a smaller question might be answered."""


class HttpSettings(BaseModel):
    """What every source that speaks HTTP may be told. Secrets come from files or the keyring, never from here."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True)

    kind: str | None = None
    name: str | None = None
    timeout: Annotated[Duration, Field(gt=0, le=600)] = 10.0
    max_bytes: Annotated[Quantity, Field(ge=1024)] = 32e6
    username: str | None = Field(None, min_length=1, description="For basic authentication.")
    password_file: Path | None = Field(None, description="Holds the password; must not be readable by everyone.")
    token_file: Path | None = Field(None, description="Holds a bearer token; must not be readable by everyone.")
    keyring: str | None = Field(
        None, pattern=r"^.+/[^/]+$", description="service/user: the password where username is given, else a token."
    )
    ca_file: Path | None = Field(None, description="Certificates to trust instead of the system's.")
    cert_file: Path | None = Field(None, description="Client certificate; with key_file.")
    key_file: Path | None = None
    insecure_skip_verify: Accepted = Field(None, description="Trust any certificate. Only with: accept-the-risk.")
    insecure_plain_http: Accepted = Field(
        None, description="Send credentials unencrypted to another machine. Only with: accept-the-risk."
    )
    proxy_from_environment: bool = Field(False, description="Honour HTTP_PROXY, HTTPS_PROXY and NO_PROXY.")

    @model_validator(mode="before")
    @classmethod
    def _no_inline_secret(cls, given: Any) -> Any:
        found = [key for key in _INLINE_SECRETS if isinstance(given, Mapping) and key in given]
        if found:
            raise ValueError(
                f"{found[0]}: a secret does not belong into this file; use password_file, token_file or keyring"
            )
        return given

    @model_validator(mode="after")
    def _whole(self) -> Self:
        secrets = [key for key in ("password_file", "token_file", "keyring") if getattr(self, key) is not None]
        if len(secrets) > 1:
            raise ValueError(f"{' and '.join(secrets)} exclude each other; keep one")
        if self.password_file and not self.username:
            raise ValueError("password_file needs a username")
        if self.username and not (self.password_file or self.keyring):
            raise ValueError("username needs a password_file or keyring")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        return self

    @property
    def has_credentials(self) -> bool:
        """Whether requests carry a password or token."""
        return bool(self.password_file or self.token_file or self.keyring)

    def checked_url(self, url: str) -> str:
        """The URL if it may be asked with these settings.

        Raises:
            ValueError: not http(s), without a host, with a secret in it, or credentials would go out unencrypted.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as wrong:
            raise ValueError(f"not a URL: {wrong}") from None
        if parts.scheme not in ("http", "https") or not host or port == 0:
            raise ValueError("not a URL; write for example http://127.0.0.1:9090")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a URL must not hold credentials; use username with password_file, token_file or keyring")
        if parts.fragment:
            raise ValueError("a URL of a source has no #fragment")
        if parts.scheme == "http" and self.has_credentials and not _loopback(host) and not self.insecure_plain_http:
            raise ValueError(
                f"credentials would go to {host} unencrypted; use https, or write insecure_plain_http: {_ACCEPTED}"
            )
        return url


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole.

    Attributes:
        media_type: of the content type, in lower case, without its parameters; ``""`` where none was given.
        framed: whether the protocol would have told a body that breaks off (a length, or chunks).
        location: where a redirect leads.
    """

    status: int
    media_type: str
    body: bytes
    framed: bool
    location: str


class _Watch:
    """Cuts a request's connection off at its deadline.

    Timeouts of a socket bound the wait for each piece, and a server may send pieces for ever: of its headers, too.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    @contextmanager
    def watching(self) -> Iterator[None]:
        """From here to the end of the block."""
        self._timer.start()
        try:
            yield
        finally:
            self._timer.cancel()
            with self._lock:
                self._socket = None

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._deadline

    def saw(self, event: str, info: Mapping[str, Any]) -> None:
        """What httpx tells of a request: a new connection, or the same with TLS, is the one to cut off."""
        stream = info.get("return_value") if event.endswith(("connect_tcp.complete", "start_tls.complete")) else None
        if stream is None:
            return
        with self._lock:
            self._socket = stream.get_extra_info("socket")
        if self.is_over:
            self._cut()

    def _cut(self) -> None:
        with self._lock:
            if isinstance(self._socket, socket.socket):
                with suppress(OSError):  # it is closed already
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class Fetcher:
    """Makes requests with one set of settings, each over a connection of its own. Usable from several threads."""

    def __init__(self, settings: HttpSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: httpx2.Client | None = None

    def close(self) -> None:
        """Give the connections back."""
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def fetch(self, url: str, *, accept: str, form: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Ask once; redirects are not followed, so that credentials go nowhere else. A ``form`` is sent by its method.

        Raises:
            Unreachable: nobody answered, or not within the timeout.
            SourceError: the answer broke off or is too large, or a secret cannot be used.
        """
        where = without_query(url)
        headers = {**_HEADERS, "Accept": accept, **self._authorization()}
        sent = {"data": form} if method == "POST" else {"params": form} if form else {}
        client = self._opened()
        watch = _Watch(self._settings.timeout)
        try:
            with (
                watch.watching(),
                client.stream(method, url, headers=headers, extensions={"trace": watch.saw}, **sent) as response,
            ):
                body = self._body(response.iter_bytes(), where, watch)
                return Answer(
                    status=response.status_code,
                    media_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
                    body=body,
                    framed="content-length" in response.headers or "transfer-encoding" in response.headers,
                    location=response.headers.get("location", ""),
                )
        except httpx2.TimeoutException:
            raise self._late(where) from None
        except httpx2.TransportError as failed:
            raise self._failed(failed, where, watch) from None
        except httpx2.DecodingError:
            raise SourceError(f"{where} sent a body that cannot be decompressed") from None
        except (httpx2.InvalidURL, ValueError) as failed:
            raise SourceError(f"{where} cannot be asked: {_cause(failed)}") from None

    def _failed(self, failed: httpx2.TransportError, where: str, watch: _Watch) -> SourceError:
        if watch.is_over:
            return self._late(where)
        if isinstance(failed, httpx2.ConnectError | httpx2.ProxyError):
            return Unreachable(f"cannot connect to {where}: {_cause(failed)}")
        return SourceError(f"{where} broke off its answer: {_cause(failed)}")

    def _body(self, chunks: Any, where: str, watch: _Watch) -> bytes:
        body = bytearray()
        for chunk in chunks:
            body += chunk
            if len(body) > self._settings.max_bytes:
                limit = f"{self._settings.max_bytes / 1e6:g} MB"
                raise TooLarge(f"{where} sent more than {limit}; raise max_bytes if that is right")
            if watch.is_over:
                raise self._late(where)
        if watch.is_over:  # without a length, the end of the connection passes for the end of the body
            raise self._late(where)
        return bytes(body)

    def _late(self, where: str) -> Late:
        return Late(f"{where} did not answer within {self._settings.timeout:g} s")

    def _opened(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                settings = self._settings
                self._client = httpx2.Client(
                    verify=_tls(settings),
                    timeout=settings.timeout,
                    trust_env=settings.proxy_from_environment,
                    limits=httpx2.Limits(max_keepalive_connections=0),  # the watch must see each one being made
                )
            return self._client

    def _authorization(self) -> dict[str, str]:
        settings = self._settings
        if not settings.has_credentials:
            return {}
        file = settings.password_file or settings.token_file
        secret = read_secret(file) if file else _from_keyring(settings.keyring or "")
        if settings.username:
            pair = base64.b64encode(f"{settings.username}:{secret}".encode()).decode("ascii")
            return {"Authorization": f"Basic {pair}"}
        if not secret.isascii():
            raise SourceError("the bearer token holds characters that a token cannot have")
        return {"Authorization": f"Bearer {secret}"}


def read_secret(path: Path) -> str:
    """The one line in a secret's file, read anew for each request so that it can be rotated.

    Raises:
        SourceError: it cannot be read, others can read it too, or it is not one line of text.
    """
    expanded = path.expanduser()
    try:
        readable_by_all = expanded.stat().st_mode & 0o004
        text = expanded.read_text("utf-8").strip() if not readable_by_all else ""
    except (OSError, UnicodeDecodeError) as wrong:
        raise SourceError(f"the secret in {path} cannot be read: {_cause(wrong)}") from None
    if readable_by_all:
        raise SourceError(f"everyone on this machine can read the secret in {path}; run: chmod o-rwx {path}")
    if not text or not text.isprintable():
        raise SourceError(f"{path} must hold the secret as one line of text")
    return text


def without_query(url: str) -> str:
    """The URL as messages show it; a query may hold what is nobody's business."""
    return url.partition("?")[0]


def _from_keyring(entry: str) -> str:
    service, _, user = entry.rpartition("/")
    try:
        import keyring
    except ImportError:
        raise SourceError("keyring is not installed; run: pip install 'outgrow[keyring]', or use a file") from None
    try:
        secret = keyring.get_password(service, user)
    except Exception as failed:  # backends raise what they like
        raise SourceError(f"the keyring did not give {entry}: {type(failed).__name__}") from None
    if not secret:
        raise SourceError(f"the keyring holds nothing for {entry}; run: keyring set {service} {user}")
    return str(secret)


def _tls(settings: HttpSettings) -> ssl.SSLContext | bool:
    try:
        if settings.insecure_skip_verify:
            context = httpx2.create_ssl_context(verify=False)
        elif settings.ca_file:
            context = ssl.create_default_context(cafile=str(settings.ca_file.expanduser()))
        elif settings.cert_file:
            context = httpx2.create_ssl_context()
        else:
            return True
        if settings.cert_file and settings.key_file:
            key = settings.key_file.expanduser()
            if key.stat().st_mode & 0o004:
                raise SourceError(f"everyone on this machine can read {settings.key_file}; run: chmod o-rwx it")
            context.load_cert_chain(str(settings.cert_file.expanduser()), str(key))
    except OSError as wrong:  # ssl.SSLError is one
        raise SourceError(f"the certificate files cannot be used: {_cause(wrong)}") from None
    return context


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # of other names a DNS server decides, of those below localhost too


def _cause(failed: BaseException) -> str:
    return " ".join(str(failed).split())[:200] or type(failed).__name__
