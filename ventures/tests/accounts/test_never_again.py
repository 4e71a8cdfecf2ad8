"""What was revoked or has expired never works again, and what was not works, whatever happens in between."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ventures.accounts.api import (
    caller,
    change_password,
    end_other_sessions,
    end_session,
    make_key,
    parse_token,
    revoke_key,
    sweep,
)
from ventures.errors import NotSignedIn
from ventures.identifiers import new_id
from ventures.testing.accounts import NOW, PASSWORD, SESSION_LASTS, People

MINUTE = timedelta(minutes=1)
places = st.integers(0, 5)
steps = st.one_of(
    st.just(("sign in",)),
    st.tuples(st.just("make key"), st.integers(1, 365)),
    st.tuples(st.just("present"), places),
    st.tuples(st.just("revoke"), places),
    st.tuples(st.just("revoke others"), places),
    st.tuples(st.just("new password"), places),
    st.tuples(st.just("wait"), st.sampled_from([timedelta(seconds=20), MINUTE, timedelta(days=8), timedelta(days=31)])),
    st.just(("sweep",)),
)


class Model:
    """What ought to work: for each token when it ends, if it has not been revoked."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.ids: list[Any] = []
        self.sessions: list[bool] = []
        self.ends: list[datetime | None] = []
        self.seen: list[datetime] = []

    def add(self, token: str, identifier: Any, session: bool, ends: datetime, now: datetime) -> None:
        self.tokens.append(token)
        self.ids.append(identifier)
        self.sessions.append(session)
        self.ends.append(ends)
        self.seen.append(now)

    def works(self, place: int, now: datetime) -> bool:
        ends = self.ends[place]
        return ends is not None and ends > now

    def use(self, place: int, now: datetime) -> None:
        if self.sessions[place] and now - self.seen[place] >= MINUTE:
            self.seen[place], self.ends[place] = now, now + SESSION_LASTS


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=25))
async def test_what_is_over_is_over(people: People, sequence: list[Any]) -> None:
    account = await people.sign_up()
    database, now, password, model = people.database, NOW, PASSWORD, Model()

    async def check(place: int) -> None:
        presented = parse_token(model.tokens[place])
        assert presented is not None
        async with database.everywhere() as scope:
            try:
                found = await caller(scope, presented, now)
            except NotSignedIn:
                assert not model.works(place, now)
            else:
                assert model.works(place, now)
                assert found.account == account.id
                assert model.ids[place] in (found.session, found.key)
                model.use(place, now)

    for number, (kind, *rest) in enumerate(sequence):
        place = rest[0] % len(model.tokens) if rest and isinstance(rest[0], int) and model.tokens else None
        if kind == "wait":
            now += rest[0]
        elif kind == "sign in":
            signed = await people.sign_in(account.email, password, now)
            model.add(signed.token, signed.session.id, True, now + SESSION_LASTS, now)
        elif kind == "make key":
            ends = now + timedelta(days=rest[0])
            async with database.everywhere() as scope:
                made = await make_key(
                    scope, account.id, label="key", scopes=["content:view"], venture=None,
                    expires_at=ends, now=now, new_id=new_id,
                )  # fmt: skip
            model.add(made.token, made.key.id, False, ends, now)
        elif kind == "sweep":
            async with database.everywhere() as scope:
                await sweep(scope, now)
        elif place is None:
            continue
        elif kind == "present":
            await check(place)
        elif not model.works(place, now):
            continue
        elif kind == "revoke":
            async with database.everywhere() as scope:
                if model.sessions[place]:
                    await end_session(scope, account.id, model.ids[place], now)
                else:
                    await revoke_key(scope, account.id, model.ids[place])
            model.ends[place] = None
        elif model.sessions[place]:  # the two that end all other sessions
            if kind == "revoke others":
                async with database.everywhere() as scope:
                    await end_other_sessions(scope, account.id, model.ids[place])
            else:
                new = f"password number {number}"
                await change_password(
                    database, people.passwords, account=account.id, session=model.ids[place], current=password,
                    new=new, address="192.0.2.1", now=now,
                )  # fmt: skip
                password = new
            for other, session in enumerate(model.sessions):
                if session and other != place:
                    model.ends[other] = None
    for place in range(len(model.tokens)):
        await check(place)
    now += timedelta(days=400)
    for place in range(len(model.tokens)):
        await check(place)
