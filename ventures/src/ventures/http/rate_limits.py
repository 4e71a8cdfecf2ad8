"""How often a caller may ask: a token bucket for each, in the memory of one process.

A caller is an account, an API key, or, as long as nobody is signed in, a network address (of IPv6 its /64, which is one
customer's). Each API process counts for itself, so that a caller who is spread over N processes has up to N times the
limit; what must be exact, such as failed sign-ins, is counted in the database.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

import msgspec

MOST_BUCKETS: Final = 50_000
"""Of one process, about 10 MB; the one that was idle longest is forgotten first."""
MOST_BELIEVED: Final = 20_000


class Verdict(msgspec.Struct, frozen=True):
    """left: requests that may follow at once. full_after_seconds: when all may again. wait_seconds: 0 where this one
    may, otherwise until one may.
    """

    limit: int
    left: int
    full_after_seconds: float
    wait_seconds: float


class Buckets:
    """Each holds `per_minute` requests when full and fills again in a minute. `clock` is in seconds, monotonic."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._held: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, caller: Hashable) -> Verdict:
        """One request of the caller's."""
        now = self._clock()
        left, then = self._held.get(caller, (float(self.per_minute), now))
        rate = self.per_minute / 60
        left = min(float(self.per_minute), left + (now - then) * rate)
        wait = 0.0 if left >= 1 else (1 - left) / rate
        left -= 0 if wait else 1
        self._held[caller] = (left, now)
        self._held.move_to_end(caller)
        if len(self._held) > MOST_BUCKETS:
            self._held.popitem(last=False)
        return Verdict(self.per_minute, int(left), (self.per_minute - left) / rate, wait)


class Believed:
    """Tokens that were found good lately, by digest, and whose they are. A token that nobody has checked yet proves
    nothing: its request counts for the address it comes from, so that made-up tokens are no way around the limit.
    """

    def __init__(self) -> None:
        self._held: OrderedDict[bytes, Hashable] = OrderedDict()

    def caller(self, digest: bytes) -> Hashable | None:
        """Whose token it is, where that is known."""
        return self._held.get(digest)

    def note(self, digest: bytes, caller: Hashable) -> None:
        """The token was good just now."""
        self._held[digest] = caller
        self._held.move_to_end(digest)
        if len(self._held) > MOST_BELIEVED:
            self._held.popitem(last=False)

    def forget(self, digest: bytes) -> None:
        """The token is no good any more."""
        self._held.pop(digest, None)


def network(address: str) -> str:
    """What counts as one address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
