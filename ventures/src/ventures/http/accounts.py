"""/v1/accounts, /v1/sessions, /v1/me, /v1/keys: signing up and in, the own account, API keys."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from ventures.accounts import api as accounts
from ventures.accounts.api import Account, ApiKey, Caller, Passwords, Session
from ventures.database.scope import GlobalScope
from ventures.errors import Forbidden, Invalid
from ventures.http.authentication import COOKIE, ask_caller
from ventures.http.exchange import Body, IdempotencyKey, IfMatch, expected_version, platform_of, shown
from ventures.http.paging import Page
from ventures.log.api import Actor
from ventures.settings import Settings
from ventures.tenancy import api as tenancy

NO_STORE: Final = {"Cache-Control": "no-store"}
Email = Annotated[str, Meta(min_length=3, max_length=254, description="Upper and lower case are the same.")]
Password = Annotated[str, Meta(max_length=accounts.MOST_BYTES)]
NewPassword = Annotated[
    str,
    Meta(
        min_length=accounts.LEAST_CHARACTERS, max_length=accounts.MOST_BYTES, description="At most 1000 bytes of UTF-8."
    ),
]
PersonName = Annotated[str, Meta(min_length=1, max_length=200)]
Scopes = Annotated[list[Annotated[str, Meta(max_length=81)]], Meta(min_length=1, max_length=100)]


class NewAccount(Body, frozen=True, kw_only=True):
    """invite: an invitation's token, where only the invited may sign up."""

    email: Email
    password: NewPassword
    name: PersonName
    invite: Annotated[str, Meta(max_length=200)] | None = None


class Credentials(Body, frozen=True, kw_only=True):
    """device: what the list of sessions calls it; without it, what the browser says it is."""

    email: Annotated[str, Meta(max_length=1000)]
    password: Password
    device: Annotated[str, Meta(max_length=200)] | None = None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The session's token is in the cookie alone. csrf_token: send it as X-CSRF-Token with all that is not GET."""

    account: UUID
    session: Session
    csrf_token: str


class ListedSession(msgspec.Struct, frozen=True, kw_only=True):
    """current: the one that asks."""

    id: UUID
    device: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    current: bool


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """csrf_token: null for an API key, which needs none."""

    id: UUID
    email: str
    name: str
    version: int
    created_at: datetime
    csrf_token: str | None


class AccountChanges(Body, frozen=True, kw_only=True):
    """What may be changed of one's account."""

    name: PersonName


class PasswordChange(Body, frozen=True, kw_only=True):
    """All other sessions end with it; API keys stay."""

    current_password: Password
    new_password: NewPassword


class NewApiKey(Body, frozen=True, kw_only=True):
    """scopes: "feature:action" each. venture: the only one it is good for; null for all of yours.

    expires_at: with its offset from UTC, within a year.
    """

    label: PersonName
    scopes: Scopes
    venture: UUID | None = None
    expires_at: datetime


class MadeApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """token: shown this once; null where the request is a repetition."""

    key: ApiKey
    token: str | None


@post("/accounts", summary="Sign up", operation_id="sign_up", security=[{}])
async def sign_up(request: Request[Any, Any, Any], data: JSONBody[NewAccount]) -> Response[Account]:
    platform = platform_of(request)
    await _may_sign_up(request, data.invite)
    made = await accounts.sign_up(
        platform.database,
        passwords_of(request),
        email=data.email,
        password=data.password,
        name=data.name,
        now=platform.now(),
        new_id=platform.new_id,
    )
    answer = shown(made, made.version, status=201)
    answer.headers["Location"] = "/v1/me"
    return answer


@post("/sessions", summary="Sign in", operation_id="sign_in", security=[{}])
async def sign_in(request: Request[Any, Any, Any], data: JSONBody[Credentials]) -> Response[Opened]:
    """Sets the cookie `ventures_session`. After ten failures in 15 minutes, the account or the network has to wait."""
    platform = platform_of(request)
    opened = await accounts.sign_in(
        platform.database,
        passwords_of(request),
        email=data.email,
        password=data.password,
        address=_address(request),
        device=data.device or request.headers.get("user-agent") or "",
        lasts=timedelta(days=platform.settings.session_days),
        now=platform.now(),
        new_id=platform.new_id,
    )
    answer = Response(
        Opened(account=opened.account, session=opened.session, csrf_token=opened.csrf),
        status_code=201,
        headers={**NO_STORE, "Location": f"/v1/sessions/{opened.session.id}"},
    )
    _set_cookie(answer, opened.token, platform.settings)
    return answer


@get("/sessions", summary="Your open sessions", operation_id="list_sessions")
async def list_sessions(request: Request[Any, Any, Any]) -> Page[ListedSession]:
    """All of them, at most 50, the last seen first."""
    async with platform_of(request).database.everywhere() as scope:
        caller = await _person(request, scope)
        found = await accounts.sessions(scope, caller.account, platform_of(request).now())
    return Page([ListedSession(**msgspec.structs.asdict(one), current=one.id == caller.session) for one in found], None)


@delete("/sessions", summary="Sign out, here or everywhere else", operation_id="sign_out")
async def sign_out(
    request: Request[Any, Any, Any],
    which: Annotated[
        Literal["this", "others"], QueryParameter(description="`this` session, or all `others` of the account.")
    ] = "this",
) -> Response[None]:
    platform = platform_of(request)
    answer: Response[None] = Response(None, status_code=204)
    async with platform.database.everywhere() as scope:
        caller, session = await _session(request, scope)
        if which == "others":
            await accounts.end_other_sessions(scope, caller.account, session)
        else:
            await accounts.end_session(scope, caller.account, session, platform.now())
            answer.delete_cookie(COOKIE)
    return answer


@delete("/sessions/{session:uuid}", summary="End a session", operation_id="end_session")
async def end_session(request: Request[Any, Any, Any], session: FromPath[UUID]) -> None:
    async with platform_of(request).database.everywhere() as scope:
        caller = await _person(request, scope)
        await accounts.end_session(scope, caller.account, session, platform_of(request).now())


@get("/me", summary="Your account", operation_id="read_me")
async def read_me(request: Request[Any, Any, Any]) -> Response[Me]:
    """With the CSRF token of the session; the cookie is set anew, so that it lasts as long as the session."""
    platform = platform_of(request)
    async with platform.database.everywhere() as scope:
        caller = await (await ask_caller(request, scope)).answer()
        found = await accounts.account(scope, caller.account)
    answer = _me(found, caller)
    if caller.session is not None:
        _set_cookie(answer, request.cookies[COOKIE], platform.settings)
    return answer


@patch("/me", summary="Change your account", operation_id="change_me")
async def change_me(
    request: Request[Any, Any, Any], data: JSONBody[AccountChanges], if_match: IfMatch = None
) -> Response[Me]:
    async with platform_of(request).database.everywhere() as scope:
        caller = await _person(request, scope)
        changed = await accounts.rename(scope, caller.account, data.name, expected_version(if_match))
    return _me(changed, caller)


@post("/me/password", summary="Change your password", operation_id="change_password", status_code=204)
async def change_password(request: Request[Any, Any, Any], data: JSONBody[PasswordChange]) -> None:
    """Ends all your other sessions. A wrong current password counts as a failed sign-in."""
    platform = platform_of(request)
    async with platform.database.everywhere() as scope:
        caller, session = await _session(request, scope)
    await accounts.change_password(
        platform.database,
        passwords_of(request),
        account=caller.account,
        session=session,
        current=data.current_password,
        new=data.new_password,
        address=_address(request),
        now=platform.now(),
    )


@post("/keys", summary="Make an API key", operation_id="make_api_key")
async def make_api_key(
    request: Request[Any, Any, Any], data: JSONBody[NewApiKey], idempotency_key: IdempotencyKey = None
) -> Response[MadeApiKey]:
    """It may at most what you may yourself, and of that its scopes alone. The token is shown this once."""
    _known_scopes(data.scopes)
    if data.expires_at.tzinfo is None:
        raise Invalid("Say expires_at with its offset from UTC.", fields={"expires_at": "without an offset"})
    platform = platform_of(request)
    async with platform.database.everywhere() as scope:
        caller = await _person(request, scope)
    if data.venture is not None:
        await _member_of(request, data.venture, caller)
    async with platform.database.everywhere() as scope:
        caller = await _person(request, scope)
        if idempotency_key is not None:
            digest = hashlib.sha256(b"POST /v1/keys\0" + msgspec.json.encode(data)).digest()
            replay = await accounts.once(scope, caller.account, idempotency_key, digest, platform.now())
            if replay is not None:
                return _made(msgspec.convert(replay.body, MadeApiKey), replayed=True)
        made = await accounts.make_key(
            scope,
            caller.account,
            label=data.label,
            scopes=data.scopes,
            venture=data.venture,
            expires_at=data.expires_at,
            now=platform.now(),
            new_id=platform.new_id,
        )
        if idempotency_key is not None:
            await accounts.keep(scope, caller.account, idempotency_key, 201, MadeApiKey(key=made.key, token=None))
    return _made(MadeApiKey(key=made.key, token=made.token))


@get("/keys", summary="Your API keys", operation_id="list_api_keys")
async def list_api_keys(request: Request[Any, Any, Any]) -> Page[ApiKey]:
    """All of them, at most 100, the newest first; expired ones are listed for 30 days."""
    async with platform_of(request).database.everywhere() as scope:
        caller = await _person(request, scope)
        return Page(await accounts.keys(scope, caller.account), None)


@delete("/keys/{key:uuid}", summary="Revoke an API key", operation_id="revoke_api_key")
async def revoke_api_key(request: Request[Any, Any, Any], key: FromPath[UUID]) -> None:
    async with platform_of(request).database.everywhere() as scope:
        caller = await _person(request, scope)
        await accounts.revoke_key(scope, caller.account, key)


def passwords_of(request: Request[Any, Any, Any]) -> Passwords:
    """The one hasher of this process, which bounds the memory that signing in takes."""
    state = request.app.state
    if "passwords" not in state:
        state.passwords = Passwords()
    hasher: Passwords = state.passwords
    return hasher


async def _person(request: Request[Any, Any, Any], scope: GlobalScope) -> Caller:
    """Who is signed in by a session. Raises: NotSignedIn, Forbidden for an API key."""
    return (await _session(request, scope))[0]


async def _session(request: Request[Any, Any, Any], scope: GlobalScope) -> tuple[Caller, UUID]:
    caller = await (await ask_caller(request, scope)).answer()
    if caller.session is None:
        raise Forbidden("An API key cannot change the account it belongs to, nor see its sessions and keys: sign in.")
    return caller, caller.session


async def _may_sign_up(request: Request[Any, Any, Any], invite: str | None) -> None:
    """Raises: Forbidden."""
    platform = platform_of(request)
    rule = platform.settings.sign_up
    if rule == "open":
        return
    if rule == "closed":
        raise Forbidden("Nobody can sign up here. Ask who runs this installation.")
    token = tenancy.parse_token(invite) if invite else None
    if token is None:
        raise Forbidden("Only who was invited to a venture can sign up here: send the invitation's token as `invite`.")
    async with platform.database.reading(token.venture) as scope:
        _, offered = await tenancy.offered(scope, token)
    if offered.accepted_by is not None or offered.expires_at <= platform.now():
        raise Forbidden("This invitation was used or has expired. Ask for a new one.")


async def _member_of(request: Request[Any, Any, Any], venture: UUID, caller: Caller) -> None:
    """Raises: NotFound."""
    platform = platform_of(request)
    async with platform.database.reading(venture) as scope:
        rights = await platform.spine.authority.ask(scope, caller.account)
        await rights.allow(Actor(account=caller.account), "tenancy", "view")


def _known_scopes(scopes: list[str]) -> None:
    known = {tenancy.permission(feature, action) for feature in tenancy.FEATURES for action in tenancy.ACTIONS}
    strange = sorted(set(scopes) - known)
    if strange:
        raise Invalid(
            f"There is no permission “{strange[0]}”; use one like content:view.",
            fields={"scopes": "unknown permission"},
        )


def _me(found: Account, caller: Caller) -> Response[Me]:
    me = Me(**msgspec.structs.asdict(found), csrf_token=caller.csrf)
    answer = shown(me, found.version)
    answer.headers.update(NO_STORE)
    return answer


def _made(made: MadeApiKey, *, replayed: bool = False) -> Response[MadeApiKey]:
    headers = {**NO_STORE, "Location": f"/v1/keys/{made.key.id}"}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(made, status_code=201, headers=headers)


def _set_cookie(answer: Response[Any], token: str, settings: Settings) -> None:
    answer.set_cookie(
        COOKIE,
        token,
        max_age=settings.session_days * 86_400,
        path="/",
        secure=settings.base_url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def _address(request: Request[Any, Any, Any]) -> str:
    return request.client.host if request.client else "local"


ROUTERS = (
    Router(
        "/v1",
        route_handlers=[
            sign_up,
            sign_in,
            list_sessions,
            sign_out,
            end_session,
            read_me,
            change_me,
            change_password,
            make_api_key,
            list_api_keys,
            revoke_api_key,
        ],
        tags=["accounts"],
    ),
)
