"""The contract of a channel, for the adapters of the platform and for everybody's own.

    @pytest.mark.parametrize("law", CONTRACT, ids=lambda law: law.__name__)
    async def test_contract(law: Law) -> None:
        async with my_network() as subject:
            await law(subject)

A `Subject` is a channel and a look behind it: which texts are out, and a way to make the network fail.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, get_args
from uuid import UUID

import msgspec

from ventures.identifiers import new_id
from ventures.posts.ports import CannotTell, Channel, Failed, Outgoing, Published, Unknown
from ventures.posts.publisher import Later, call
from ventures.testing.loopback import Answer, Drop, Request, serving

Fault = Literal[
    "refuse",
    "busy",
    "error_before",
    "error_after",
    "drop_before",
    "drop_after",
    "hang_before",
    "hang_after",
    "crash_after",
]
"""What a network does with the next new post: says no for good; says not now; fails (an error, a lost connection, no
answer) before or after it is out; is restarted after it is out and forgets the key.
"""
DOUBTFUL: Final[tuple[Fault, ...]] = tuple(
    fault for fault in get_args(Fault) if fault not in ("refuse", "busy", "crash_after")
)
TEXTS: Final = (
    "Hello",
    "  two lines\nand a tab\t",
    "Ünïcödé – 日本語 – 👩‍🚀 – مرحبا",
    "<b>no</b> & \"quotes\" 'and' \\ https://example.org/?a=1&b=2#c",
)


@dataclass(frozen=True)
class Subject:
    """`out`: the texts that are out, in order, as the receiver counts them. `fail`: makes the network fail at the next
    new post; None for a channel that cannot fail.
    """

    channel: Channel
    out: Callable[[], Sequence[str]]
    fail: Callable[[Fault], None] | None = None


Law = Callable[[Subject], Awaitable[None]]


def outgoing(text: str = "Hello", *, post: UUID | None = None, at: datetime | None = None) -> Outgoing:
    """A post on its way."""
    return Outgoing(
        venture=new_id(), post=post or new_id(), item=new_id(), text=text, first_tried_at=at or datetime.now(UTC)
    )


async def it_says_what_it_is(subject: Subject) -> None:
    channel = subject.channel
    assert channel.kind
    assert channel.limits.characters > 0
    assert channel.limits.link_characters is None or channel.limits.link_characters > 0
    assert channel.address is None or channel.address.startswith(("https://", "http://"))


async def what_it_says_is_out_is_out(subject: Subject) -> None:
    for text in TEXTS:
        before = len(subject.out())
        post = outgoing(text)
        result = await subject.channel.publish(post, str(post.post))
        assert isinstance(result, Published)
        assert 1 <= len(result.external_id) <= 500
        assert result.url is None or result.url.startswith(("https://", "http://"))
        assert [out.strip() for out in subject.out()[before:]] == [text.strip()]


async def one_key_makes_one_post(subject: Subject) -> None:
    if not subject.channel.takes_key:
        return
    post = outgoing()
    first = await subject.channel.publish(post, str(post.post))
    second = await subject.channel.publish(post, str(post.post))
    assert isinstance(first, Published)
    assert first == second
    assert len(subject.out()) == 1
    await subject.channel.publish(outgoing(), "another key")
    assert len(subject.out()) == 2


async def it_finds_what_is_out_and_nothing_else(subject: Subject) -> None:
    channel, post, other = subject.channel, outgoing("This one"), outgoing("Another one")
    if not channel.looks_up:
        assert isinstance(await channel.find(post, str(post.post)), CannotTell)
        return
    assert await channel.find(post, str(post.post)) is None
    for text in ("Before", "This one", "After"):
        one = post if text == post.text else outgoing(text)
        result = await channel.publish(one, str(one.post))
        if one is post:
            made = result
    assert await channel.find(post, str(post.post)) == made
    assert await channel.find(other, str(other.post)) is None


async def a_refusal_is_final(subject: Subject) -> None:
    if subject.fail is None:
        return
    subject.fail("refuse")
    post = outgoing()
    result = await subject.channel.publish(post, str(post.post))
    assert isinstance(result, Failed)
    assert not result.again
    assert result.problem
    assert not subject.out()


async def not_now_is_not_never(subject: Subject) -> None:
    if subject.fail is None:
        return
    subject.fail("busy")
    post = outgoing()
    result = await subject.channel.publish(post, str(post.post))
    assert isinstance(result, Failed)
    assert result.again
    assert result.retry_after_seconds is None or 0 < result.retry_after_seconds <= 80
    assert not subject.out()


async def it_never_says_no_of_what_is_out(subject: Subject) -> None:
    if subject.fail is None:
        return
    for fault in (*DOUBTFUL, "crash_after"):
        before = len(subject.out())
        subject.fail(fault)
        post = outgoing(f"Under {fault}")
        result = await subject.channel.publish(post, str(post.post))
        is_out = len(subject.out()) > before
        assert not (isinstance(result, Failed) and is_out), fault
        assert not (isinstance(result, Published) and not is_out), fault


async def however_an_attempt_ends_the_next_makes_no_second(subject: Subject) -> None:
    """As the publisher does it. A channel that is asked again ends with exactly one."""
    if subject.fail is None:
        return
    channel = subject.channel
    faults: tuple[Fault, ...] = (*DOUBTFUL, "crash_after") if channel.looks_up else DOUBTFUL
    for fault in faults:
        before = len(subject.out())
        subject.fail(fault)
        post = outgoing(f"Under {fault}")
        first = await call(channel, post, True, time.monotonic())
        assert not isinstance(first, Published), fault
        last = await call(channel, post, False, time.monotonic()) if isinstance(first, Later) else first
        count = len(subject.out()) - before
        if channel.takes_key or channel.looks_up:
            assert isinstance(last, Published), (fault, first, last)
            assert count == 1, fault
        else:
            assert isinstance(last, Unknown), fault
            assert count <= 1, fault


CONTRACT: Final[tuple[Law, ...]] = (
    it_says_what_it_is,
    what_it_says_is_out_is_out,
    one_key_makes_one_post,
    it_finds_what_is_out_and_nothing_else,
    a_refusal_is_final,
    not_now_is_not_never,
    it_never_says_no_of_what_is_out,
    however_an_attempt_ends_the_next_makes_no_second,
)


class Delivery(msgspec.Struct, frozen=True):
    """The part of a webhook's body that tells it from others."""

    class Data(msgspec.Struct, frozen=True):
        text: str

    data: Data


@dataclass
class Receiver:
    """A webhook's receiver, as it should be: what it has had by `webhook-id`, it drops."""

    url: str = ""
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)

    async def handle(self, request: Request) -> Answer | Drop:
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if fault is None or fault.endswith("_after"):
            text = msgspec.json.decode(request.body, type=Delivery).data.text
            self.taken.setdefault(request.headers["webhook-id"], text)
        if fault is None:
            return Answer({})
        if fault.startswith("drop"):
            return Drop()
        if fault.startswith("hang"):
            await asyncio.Event().wait()
        status = {"refuse": 410, "busy": 429}.get(fault, 500)
        return Answer({}, status, {"Retry-After": "7"})


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """A running receiver."""
    found = Receiver()
    async with serving(found.handle) as url:
        found.url = url
        yield found


__all__ = ["CONTRACT", "DOUBTFUL", "Fault", "Law", "Receiver", "Subject", "outgoing", "receiver"]
