"""What other rooms may use of accounts."""

from ventures.accounts.callers import AskedCaller, ask_caller, caller, verify
from ventures.accounts.idempotency import Replay, keep, once
from ventures.accounts.keys import NewKey, keys, make_key, revoke_key
from ventures.accounts.passwords import LEAST_CHARACTERS, MOST_BYTES, Passwords
from ventures.accounts.people import (
    account,
    account_of_email,
    accounts,
    change_password,
    normalised_email,
    rename,
    sign_up,
)
from ventures.accounts.records import Account, ApiKey, Caller, Session
from ventures.accounts.sessions import SignedIn, end_other_sessions, end_session, sessions, sign_in
from ventures.accounts.sweeping import sweep
from ventures.accounts.tokens import Presented, csrf_matches, csrf_token, parse_token

__all__ = [
    "LEAST_CHARACTERS",
    "MOST_BYTES",
    "Account",
    "ApiKey",
    "AskedCaller",
    "Caller",
    "NewKey",
    "Passwords",
    "Presented",
    "Replay",
    "Session",
    "SignedIn",
    "account",
    "account_of_email",
    "accounts",
    "ask_caller",
    "caller",
    "change_password",
    "csrf_matches",
    "csrf_token",
    "end_other_sessions",
    "end_session",
    "keep",
    "keys",
    "make_key",
    "normalised_email",
    "once",
    "parse_token",
    "rename",
    "revoke_key",
    "sessions",
    "sign_in",
    "sign_up",
    "sweep",
    "verify",
]
