"""What the platform is told by its environment. One table, `SETTINGS`; every start reads all of it or refuses.

A secret may be given by a file instead: the name with `_FILE` behind it, the path as the value.
"""

import difflib
import hashlib
import hmac
import ipaddress
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import SplitResult, urlsplit

import msgspec
from platformdirs import user_data_path

from ventures.errors import SettingsError

SignUp = Literal["open", "invited", "closed"]
Plans = Literal["none", "practice"]
LogLevel = Literal["debug", "info", "warning", "error"]
Layout = Literal["shared", "tuned", "buckets", "per-venture", "pgvector", "qdrant"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SECRET_CHARACTERS: Final = 32
"""The least a secret may have; the one made at the first start has 43 (256 bits)."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, checked; what each means and is measured in stands in `SETTINGS`."""

    database_url: str | None
    owner_url: str | None
    data: Path
    host: str
    port: int
    api_processes: int
    worker_processes: int
    database_connections: int
    region: str
    public_url: str | None
    cors_origins: tuple[str, ...]
    rate_limit_per_minute: int
    sign_up: SignUp
    plans: Plans
    session_days: int
    log_level: LogLevel
    index_layout: Layout
    index_processes: int
    qdrant_url: str | None
    qdrant_api_key: str | None
    embedding_url: str | None
    embedding_model: str | None
    embedding_dimension: int
    embedding_api_key: str | None
    language_model_url: str | None
    language_model: str | None
    language_model_api_key: str | None
    webhook_networks: tuple[Network, ...]
    secret: str | None

    @property
    def base_url(self) -> str:
        """Where people reach the platform, without a slash at the end."""
        return self.public_url or self.local_url

    @property
    def local_url(self) -> str:
        """Where this machine reaches it, whatever stands before it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 (what it listens on)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def database_address(self) -> str:
        """DATABASE_URL, which every process that `serve` starts is given.

        Raises: SettingsError where it is not set.
        """
        if self.database_url is None:
            raise SettingsError("DATABASE_URL is not set. `ventures serve` runs a database of its own and sets it.")
        return self.database_url

    def key(self, purpose: str) -> bytes:
        """32 bytes for one purpose, always the same for the same secret; one key says nothing about another.

        Raises: SettingsError where there is no secret yet.
        """
        if self.secret is None:
            raise SettingsError("VENTURES_SECRET is not set. `ventures serve` makes one; other commands need it told.")
        return hmac.digest(self.secret.encode(), b"ventures\0" + purpose.encode(), hashlib.sha256)

    def __repr__(self) -> str:
        shown = (f"{setting.field}={masked(setting, self)!r}" for setting in SETTINGS)
        return f"Settings({', '.join(shown)})"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: `default` as it would be written in the environment, None where there is none."""

    name: str
    field: str
    default: str | None
    meaning: str
    read: Callable[[str], Any]
    unit: str = ""
    secret: bool = False


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return number

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return read


def _postgresql(text: str) -> str:
    if urlsplit(text).scheme not in ("postgresql", "postgres"):
        raise ValueError("must be a URL such as postgresql://ventures_app:PASSWORD@host:5432/ventures")
    return text


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        if text == "localhost":
            return text
        raise ValueError("must be an IP address of this machine, such as 127.0.0.1, 0.0.0.0 or ::1") from None


def _region(text: str) -> str:
    if not (1 <= len(text) <= 32 and text.isascii() and text.replace("-", "a").isalnum() and text == text.lower()):
        raise ValueError("must be 1 to 32 lower-case letters, digits and hyphens, such as eu-west")
    return text


def _origin(text: str) -> str:
    parts = _http(text)
    if parts.path not in ("", "/"):
        raise ValueError(f"{text!r} must have no path")
    return f"{parts.scheme}://{parts.netloc}"


def _origins(text: str) -> tuple[str, ...]:
    return tuple(_origin(word) for word in _words(text))


def _http(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment:
        raise ValueError(f"{text!r} must be a URL such as https://ventures.example.org")
    return parts


def _public_url(text: str) -> str:
    _http(text)
    return text.rstrip("/")


def _model(text: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise ValueError("must be a name of at most 200 printable characters")
    return text


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(word) for word in _words(text))
    except ValueError as error:
        raise ValueError(f"must be networks such as 10.0.0.0/8, with commas between them ({error})") from None


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _long(text: str) -> str:
    if len(text) < SECRET_CHARACTERS:
        raise ValueError(f"must have at least {SECRET_CHARACTERS} characters; make one with: openssl rand -base64 32")
    return text


def _path(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        name="DATABASE_URL",
        field="database_url",
        default=None,
        meaning="PostgreSQL 18 to use, signing in as ventures_app. Without it one is run in VENTURES_DATA.",
        read=_postgresql,
        secret=True,
    ),
    Setting(
        name="VENTURES_OWNER_URL",
        field="owner_url",
        default=None,
        meaning="The same database, signing in as ventures_owner. serve and migrate need it where DATABASE_URL is set.",
        read=_postgresql,
        secret=True,
    ),
    Setting(
        name="VENTURES_DATA",
        field="data",
        default=None,
        meaning="Folder of the embedded PostgreSQL and the generated secret. Without it: the account's data folder, "
        "/var/lib/ventures for root.",
        read=_path,
    ),
    Setting(
        name="VENTURES_HOST",
        field="host",
        default="127.0.0.1",
        meaning="Address to listen on. Any but a loopback one needs VENTURES_PUBLIC_URL with https.",
        read=_host,
    ),
    Setting(
        name="VENTURES_PORT",
        field="port",
        default="8400",
        meaning="TCP port to listen on; 0 takes a free one.",
        read=_whole(0, 65535),
    ),
    Setting(
        name="VENTURES_API_PROCESSES",
        field="api_processes",
        default="2",
        meaning="Processes that answer requests, on one port.",
        read=_whole(1, 64),
        unit="processes",
    ),
    Setting(
        name="VENTURES_WORKER_PROCESSES",
        field="worker_processes",
        default="1",
        meaning="Processes that run the consumers of the log; 0 where they run elsewhere.",
        read=_whole(0, 64),
        unit="processes",
    ),
    Setting(
        name="VENTURES_DATABASE_CONNECTIONS",
        field="database_connections",
        default="8",
        meaning="The most connections to PostgreSQL a process holds, besides one that listens.",
        read=_whole(1, 100),
        unit="connections",
    ),
    Setting(
        name="VENTURES_REGION",
        field="region",
        default="home",
        meaning="Name of the region this installation is; new ventures get it as their home.",
        read=_region,
    ),
    Setting(
        name="VENTURES_PUBLIC_URL",
        field="public_url",
        default=None,
        meaning="Where people reach the platform. With https, cookies are sent over https only.",
        read=_public_url,
    ),
    Setting(
        name="VENTURES_CORS_ORIGINS",
        field="cors_origins",
        default="",
        meaning="Origins of pages that may call the API with a session, with commas between them.",
        read=_origins,
    ),
    Setting(
        name="VENTURES_RATE_LIMIT_PER_MINUTE",
        field="rate_limit_per_minute",
        default="600",
        meaning="Requests a caller may make.",
        read=_whole(1, 1_000_000),
        unit="requests per minute",
    ),
    Setting(
        name="VENTURES_SIGN_UP",
        field="sign_up",
        default="open",
        meaning="Who may make an account: open (anybody), invited (who was invited to a venture), closed (nobody).",
        read=_one_of("open", "invited", "closed"),
    ),
    Setting(
        name="VENTURES_PLANS",
        field="plans",
        default="none",
        meaning="What ventures are held to: none (nothing is sold, all have the largest plan) or practice (the free "
        "plan until another is chosen; payments are played, no money moves).",
        read=_one_of("none", "practice"),
    ),
    Setting(
        name="VENTURES_SESSION_DAYS",
        field="session_days",
        default="30",
        meaning="How long a session lasts.",
        read=_whole(1, 365),
        unit="days",
    ),
    Setting(
        name="VENTURES_LOG_LEVEL",
        field="log_level",
        default="info",
        meaning="What is written to stderr: debug, info, warning or error, and what is worse.",
        read=_one_of("debug", "info", "warning", "error"),
    ),
    Setting(
        name="VENTURES_INDEX_LAYOUT",
        field="index_layout",
        default="buckets",
        meaning="How ventures lie in the vector index, where no route says otherwise: buckets (a few stores, each with "
        "many ventures), tuned (one store, indexed by venture), per-venture (a store each), pgvector (PostgreSQL, "
        "exact), qdrant (a server), or shared (one store without an index by venture: to see it break).",
        read=_one_of(*get_args(Layout)),
    ),
    Setting(
        name="VENTURES_INDEX_PROCESSES",
        field="index_processes",
        default="1",
        meaning="Processes that hold the vector index; 0 where searches shall be answered from PostgreSQL alone.",
        read=_whole(0, 16),
        unit="processes",
    ),
    Setting(
        name="VENTURES_QDRANT_URL",
        field="qdrant_url",
        default=None,
        meaning="Qdrant server or cluster, for the layout qdrant.",
        read=_public_url,
    ),
    Setting(
        name="VENTURES_QDRANT_API_KEY",
        field="qdrant_api_key",
        default=None,
        meaning="What Qdrant asks for.",
        read=str,
        secret=True,
    ),
    Setting(
        name="VENTURES_EMBEDDING_URL",
        field="embedding_url",
        default=None,
        meaning="OpenAI-compatible endpoint that makes vectors of texts, up to and without /embeddings, such as "
        "https://api.example.org/v1. Without it a small English model inside the package makes them.",
        read=_public_url,
    ),
    Setting(
        name="VENTURES_EMBEDDING_MODEL",
        field="embedding_model",
        default=None,
        meaning="The model the embedding endpoint is asked for.",
        read=_model,
    ),
    Setting(
        name="VENTURES_EMBEDDING_DIMENSION",
        field="embedding_dimension",
        default="256",
        meaning="How many numbers a vector of the embedding endpoint has.",
        read=_whole(2, 4096),
        unit="numbers",
    ),
    Setting(
        name="VENTURES_EMBEDDING_API_KEY",
        field="embedding_api_key",
        default=None,
        meaning="What the embedding endpoint asks for.",
        read=str,
        secret=True,
    ),
    Setting(
        name="VENTURES_LANGUAGE_MODEL_URL",
        field="language_model_url",
        default=None,
        meaning="OpenAI-compatible endpoint that writes drafts, up to and without /chat/completions. Without it drafts "
        "are put together from the venture's own passages, and say so.",
        read=_public_url,
    ),
    Setting(
        name="VENTURES_LANGUAGE_MODEL",
        field="language_model",
        default=None,
        meaning="The model the endpoint is asked for.",
        read=_model,
    ),
    Setting(
        name="VENTURES_LANGUAGE_MODEL_API_KEY",
        field="language_model_api_key",
        default=None,
        meaning="What the endpoint asks for.",
        read=str,
        secret=True,
    ),
    Setting(
        name="VENTURES_WEBHOOK_NETWORKS",
        field="webhook_networks",
        default="",
        meaning="Private networks that webhooks may reach, with commas between them; public ones are always allowed.",
        read=_networks,
    ),
    Setting(
        name="VENTURES_SECRET",
        field="secret",
        default=None,
        meaning="What signing and encryption keys are derived from: at least 32 characters, the same in all processes. "
        "Without it serve makes one and keeps it in VENTURES_DATA.",
        read=_long,
        secret=True,
    ),
)
"""Every setting there is, in the order in which they are shown."""


def read(environ: Mapping[str, str]) -> Settings:
    """The settings of this environment. An empty value counts as none.

    Raises: SettingsError with a line for each fault there is.
    """
    faults = _strangers(environ)
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        try:
            text = _text(setting, environ)
            values[setting.field] = None if text is None else setting.read(text)
        except ValueError as fault:
            faults.append(f"{setting.name} {fault}")
    if not faults:
        values["data"] = values["data"] or default_data()
        settings = Settings(**values)
        faults = _contradictions(settings)
        if not faults:
            return settings
    raise SettingsError("\n".join(faults))


def default_data() -> Path:
    """Where data is kept when nobody says: root's server runs as another account, which could not enter root's home."""
    return Path("/var/lib/ventures") if os.name == "posix" and os.geteuid() == 0 else user_data_path("ventures")


def with_secret(settings: Settings) -> Settings:
    """With the secret of the data folder where none was given; it is made where there is none yet."""
    if settings.secret is not None:
        return settings
    file = secret_file(settings)
    if not file.exists():
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, unfinished = tempfile.mkstemp(dir=settings.data, prefix=".secret-")  # mode 0600
        with os.fdopen(descriptor, "w") as made:
            made.write(secrets.token_urlsafe(32))
            made.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(unfinished, file)  # unlike a rename it never replaces one that another start made meanwhile
        Path(unfinished).unlink()
    return msgspec.structs.replace(settings, secret=_long(file.read_text().strip()))


def secret_file(settings: Settings) -> Path:
    """Where the generated secret is."""
    return settings.data / "secret"


def masked(setting: Setting, settings: Settings) -> str:
    """The present value as people may see it."""
    value = getattr(settings, setting.field)
    if value is None or value == ():
        return ""
    if setting.secret:
        return "(set)"
    return ",".join(str(part) for part in value) if isinstance(value, tuple) else str(value)


def _text(setting: Setting, environ: Mapping[str, str]) -> str | None:
    text = environ.get(setting.name, "").strip()
    file = environ.get(f"{setting.name}_FILE", "").strip() if setting.secret else ""
    if text and file:
        raise ValueError(f"and {setting.name}_FILE are both set; keep one")
    if file:
        try:
            text = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ValueError(f"cannot be read from {file}: {why}") from None
        if not text:
            raise ValueError(f"cannot be read from {file}: it is empty")
    return text or setting.default


def _strangers(environ: Mapping[str, str]) -> list[str]:
    known = {setting.name for setting in SETTINGS}
    known |= {f"{setting.name}_FILE" for setting in SETTINGS if setting.secret}
    faults = []
    for name in sorted(name for name in environ if name.startswith("VENTURES_") and name not in known):
        near = difflib.get_close_matches(name, known, n=1)
        faults.append(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else "; see: ventures settings"))
    return faults


def _contradictions(settings: Settings) -> list[str]:
    faults = []
    if settings.owner_url is not None and settings.database_url is None:
        faults.append("VENTURES_OWNER_URL is set, but DATABASE_URL is not; set both, or neither")
    local = settings.host == "localhost" or ipaddress.ip_address(settings.host).is_loopback
    if not local and not (settings.public_url or "").startswith("https://"):
        faults.append(
            f"VENTURES_HOST {settings.host} is reachable from other machines; VENTURES_PUBLIC_URL must then be the "
            "https address under which people reach it"
        )
    for url, model in (("EMBEDDING_URL", "EMBEDDING_MODEL"), ("LANGUAGE_MODEL_URL", "LANGUAGE_MODEL")):
        given, named = getattr(settings, url.lower()), getattr(settings, model.lower())
        if (given is None) != (named is None):
            alone, missing = (model, url) if given is None else (url, model)
            faults.append(f"VENTURES_{alone} is set, but VENTURES_{missing} is not; set both, or neither")
    if settings.index_layout == "qdrant" and settings.qdrant_url is None:
        faults.append("VENTURES_INDEX_LAYOUT is qdrant; VENTURES_QDRANT_URL must say where it is")
    return faults
