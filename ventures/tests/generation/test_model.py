"""The client of a language model against one that misbehaves in every way it knows."""

import asyncio
import logging
from collections import Counter

import pytest

from ventures.generation.model import SENTENCES, LanguageModel, Times
from ventures.generation.prompts import Message
from ventures.generation.records import MOST_TEXT_CHARACTERS, Failed, Failure, Written
from ventures.testing.generation import SOON_AGAIN
from ventures.testing.language_model import KEY, MISDEEDS, LocalLanguageModel, Misdeed, language_model

PROMPT = [Message("user", "Write about tea.")]
ENDS: dict[Misdeed, Failure | None] = {
    "refuses_connection": None,
    "hangs": "hung",
    "hangs_midway": "hung",
    "hangs_in_refusal": "model_failed",
    "pings_for_ever": "hung",
    "drips": "slow",
    "cuts_off": None,
    "cuts_off_midway": "cut_off",
    "ends_without_end": "cut_off",
    "garbage": "garbage",
    "broken_json": "garbage",
    "not_utf8": "garbage",
    "wrong_shape": "garbage",
    "endless": "endless",
    "endless_line": "garbage",
    "empty": "empty",
    "only_spaces": "empty",
    "nul": None,
    "filtered": "refused",
    "filtered_at_once": "refused",
    "too_long": "too_long",
    "too_long_at_once": "too_long",
    "unauthorised": "unauthorised",
    "rate_limited": None,
    "rate_limited_for_long": "rate_limited",
    "busy": None,
    "error_in_stream": "model_failed",
    "html": "wrong_type",
    "json": "wrong_type",
    "redirects": "wrong_type",
    "compressed": "wrong_type",
    "unknown_end": "garbage",
}
"""How the client ends where each happens once; None where it asks again and gets its text."""
IMPATIENT: dict[Misdeed, Times] = {
    "hangs": Times(first_seconds=0.2),
    "hangs_midway": Times(between_seconds=0.2),
    "hangs_in_refusal": Times(first_seconds=1.0),
    "pings_for_ever": Times(first_seconds=0.2),
    "drips": Times(whole_seconds=0.5),
}
"""For those that end only because nobody waits for them."""
AGAIN = {misdeed for misdeed, end in ENDS.items() if end is None and misdeed != "nul"}


async def asked(server: LocalLanguageModel, times: Times = SOON_AGAIN) -> tuple[str, Written | Failed]:
    """(text, end)"""
    model = LanguageModel(server.url, "stub", KEY, times)
    pieces: list[str] = []
    end: Written | Failed | None = None
    try:
        async for piece in model.write(PROMPT):
            assert end is None, "nothing follows the end"
            if isinstance(piece, str):
                assert piece
                pieces.append(piece)
            else:
                end = piece
    finally:
        await model.close()
    assert end is not None
    return "".join(pieces), end


def test_every_misdeed_is_tried() -> None:
    assert set(ENDS) == set(MISDEEDS)


async def test_a_text_comes_in_pieces_with_its_tokens() -> None:
    async with language_model() as server:
        text, end = await asked(server)
        assert text == server.says
        assert end == Written(prompt_tokens=11, completion_tokens=7)
        assert server.prompts == ["Write about tea."]


@pytest.mark.parametrize("misdeed", MISDEEDS)
async def test_each_misdeed_ends_in_a_clear_state(misdeed: Misdeed, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with language_model() as server:
        server.misdeeds.append(misdeed)
        text, end = await asked(server, IMPATIENT.get(misdeed, SOON_AGAIN))
        expected = ENDS[misdeed]
        if expected is None:
            assert text == ("Tea! " if misdeed == "nul" else "") + server.says
            assert isinstance(end, Written)
        else:
            assert end == Failed(expected, SENTENCES[expected])
            assert len(server.prompts) <= 1, "what is no use is not tried again"
        assert len(text) <= MOST_TEXT_CHARACTERS
    assert KEY not in caplog.text
    assert KEY not in str(end)


@pytest.mark.parametrize("misdeed", sorted(AGAIN))
async def test_what_may_pass_is_tried_twice_again_and_no_more(misdeed: Misdeed) -> None:
    async with language_model() as server:
        server.misdeeds.extend([misdeed] * 5)
        text, end = await asked(server)
        assert (text, isinstance(end, Failed)) == ("", True)
        assert len(server.misdeeds) == 2


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    async with language_model() as server:
        pass
    text, end = await asked(server)
    assert (text, end) == ("", Failed("unreachable", SENTENCES["unreachable"]))


async def test_it_waits_as_long_as_it_is_asked_to() -> None:
    async with language_model() as server:
        server.retry_after = "1"
        server.misdeeds.append("rate_limited")
        began = asyncio.get_running_loop().time()
        _, end = await asked(server, Times(pause_seconds=0.0))
        assert isinstance(end, Written)
        assert asyncio.get_running_loop().time() - began >= 1.0


async def test_closing_the_text_ends_the_request() -> None:
    async with language_model() as server:
        server.misdeeds.append("hangs_midway")
        model = LanguageModel(server.url, "stub", KEY)
        stream = model.write(PROMPT)
        assert await anext(stream)
        await stream.aclose()
        async with asyncio.timeout(10):
            while not server.left:
                await asyncio.sleep(0.01)
        await model.close()


async def test_without_a_key_none_is_sent_and_the_refusal_is_a_value() -> None:
    async with language_model() as server:
        model = LanguageModel(server.url, "stub", None, SOON_AGAIN)
        ends = [piece async for piece in model.write(PROMPT)]
        await model.close()
    assert ends == [Failed("unauthorised", SENTENCES["unauthorised"])]


async def test_a_server_that_knows_no_usage_is_asked_without_from_then_on() -> None:
    async with language_model() as server:
        server.tells_usage = False
        model = LanguageModel(server.url, "stub", KEY, SOON_AGAIN)
        for _ in range(2):
            assert [piece async for piece in model.write(PROMPT)][-1] == Written()
        await model.close()
        assert len(server.prompts) == 3


def test_no_two_failures_say_the_same() -> None:
    assert max(Counter(SENTENCES.values()).values()) == 1
