"""Who makes a request: a session's cookie or an API key in `Authorization: Bearer`."""

from typing import Any
from uuid import UUID

from litestar import Request

from ventures.accounts import api as accounts
from ventures.database.scope import GlobalScope
from ventures.errors import Forbidden, NotSignedIn
from ventures.log.api import Actor

COOKIE = "ventures_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PRESENTED = "ventures.presented"
"""In a request's state: its token, taken apart once."""
BELIEVED = "ventures.caller"
"""In a request's state, once its token was found to be good: (the token's digest, whose bucket its requests fill)."""


def token_of(request: Request[Any, Any, Any]) -> accounts.Presented | None:
    """The token in the request, a key before a session; None where there is none, or none of our form."""
    kept = request.scope["state"]
    if PRESENTED not in kept:
        kept[PRESENTED] = _token_of(request)
    presented: accounts.Presented | None = kept[PRESENTED]
    return presented


def _token_of(request: Request[Any, Any, Any]) -> accounts.Presented | None:
    authorization = request.headers.get("authorization")
    if authorization is None:
        return accounts.parse_token(request.cookies.get(COOKIE, ""))
    scheme, _, token = authorization.partition(" ")
    return accounts.parse_token(token.strip()) if scheme.lower() == "bearer" else None


def presented_by(request: Request[Any, Any, Any]) -> accounts.Presented:
    """What the request carries, not yet believed. An unsafe request by cookie must carry the session's CSRF token.

    Raises: NotSignedIn, Forbidden.
    """
    presented = token_of(request)
    if "authorization" in request.headers:
        if presented is None or presented.kind != "key":
            raise NotSignedIn("This is no API key of ours: send `Authorization: Bearer vk_…`.")
        return presented
    if presented is None or presented.kind != "session":
        raise NotSignedIn("Sign in first (POST /v1/sessions), or send an API key.")
    if request.method not in SAFE and not accounts.csrf_matches(
        presented.csrf or "", request.headers.get(CSRF_HEADER, "")
    ):
        raise Forbidden(f"The header {CSRF_HEADER} is missing or not this session's; GET /v1/me says it.")
    return presented


def claimed_account(request: Request[Any, Any, Any]) -> UUID:
    """Whose request it claims to be: for a question that is sent together with the look-up of the caller, and whose
    answer is used only after that one's. Raises: NotSignedIn, Forbidden.
    """
    return presented_by(request).account


class Asked:
    """The look-up of a request's caller, on its way. `account`: whose it claims to be, for questions sent along
    with it.
    """

    def __init__(self, request: Request[Any, Any, Any], presented: accounts.Presented, asked: accounts.AskedCaller):
        self.account = presented.account
        self._request = request
        self._presented = presented
        self._asked = asked

    async def answer(self) -> accounts.Caller:
        """Raises: NotSignedIn where the session or key is unknown, revoked or expired."""
        caller = await self._asked.answer()
        self._request.scope["state"][BELIEVED] = (self._presented.digest, caller.key or caller.account)
        return caller


async def ask_caller(request: Request[Any, Any, Any], scope: GlobalScope) -> Asked:
    """Sends the look-up in the scope's transaction without waiting for it."""
    presented = presented_by(request)
    now = request.app.state.platform.now()
    return Asked(request, presented, await accounts.ask_caller(scope, presented, now))


async def caller_of(request: Request[Any, Any, Any]) -> accounts.Caller:
    """Who makes the request, in a transaction of its own. Raises: NotSignedIn, Forbidden."""
    async with request.app.state.platform.database.by_itself() as scope:
        return await (await ask_caller(request, scope)).answer()


async def signed_in(request: Request[Any, Any, Any]) -> Actor:
    """The same, as the log names them."""
    return actor_of(await caller_of(request))


def actor_of(caller: accounts.Caller) -> Actor:
    """A caller as the actor of a command."""
    return Actor(account=caller.account, key=caller.key, scopes=caller.scopes, venture=caller.venture)
