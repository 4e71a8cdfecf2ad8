"""Tokens are read back as they were made, and nothing else is read."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ventures.accounts.tokens import (
    csrf_matches,
    csrf_token,
    digest_of,
    key_prefix,
    new_key_token,
    new_session_token,
    parse_token,
)

ids = st.uuids() | st.sampled_from([UUID(int=0), UUID(int=2**128 - 1)])


@given(ids)
def test_a_session_token_names_its_account_and_digest(account: UUID) -> None:
    token = new_session_token(account)
    presented = parse_token(token)
    assert presented is not None
    assert (presented.kind, presented.account, presented.key) == ("session", account, None)
    assert presented.digest == digest_of(token)
    assert presented.csrf == csrf_token(token)


@given(ids, ids)
def test_a_key_names_its_account_and_itself(account: UUID, key: UUID) -> None:
    token = new_key_token(account, key)
    presented = parse_token(token)
    assert presented is not None
    assert (presented.kind, presented.account, presented.key, presented.csrf) == ("key", account, key, None)
    assert token.startswith(key_prefix(account, key))


@given(st.text(max_size=120) | st.text(alphabet="0z_.vk", min_size=70, max_size=110))
def test_anything_else_is_no_token(text: str) -> None:
    presented = parse_token(text)
    assert presented is None or text == text.strip().lower()


@given(ids, st.integers(0, 75), st.characters())
def test_a_changed_character_is_another_token_or_none(account: UUID, place: int, character: str) -> None:
    token = new_session_token(account)
    changed = token[:place] + character + token[place + 1 :]
    presented = parse_token(changed)
    assert changed == token or presented is None or presented.digest != digest_of(token)


def test_an_id_beyond_128_bits_is_none() -> None:
    assert parse_token("z" * 25 + "." + "0" * 50) is None
    assert parse_token("vk_" + "0" * 25 + "_" + "z" * 25 + "_" + "0" * 50) is None


def test_a_line_break_at_the_end_is_no_part_of_a_token() -> None:
    assert parse_token(new_session_token(UUID(int=1)) + "\n") is None


def test_two_secrets_are_never_the_same() -> None:
    assert len({new_session_token(UUID(int=1)) for _ in range(100)}) == 100


@given(st.text(max_size=60))
def test_only_the_sessions_own_csrf_token_matches(given_token: str) -> None:
    token = new_session_token(UUID(int=1))
    expected = csrf_token(token)
    assert csrf_matches(expected, expected)
    assert not csrf_matches(expected, given_token)
    assert not csrf_matches(expected, csrf_token(new_session_token(UUID(int=1))))
    assert token not in expected
