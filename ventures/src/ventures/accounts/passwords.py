"""Passwords: argon2id in threads, so many at once and no more."""

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import Parameters, PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from ventures.errors import Invalid, Unavailable

T = TypeVar("T")
LEAST_CHARACTERS = 10
MOST_BYTES = 1000


class Passwords:
    """Makes and verifies hashes. One a process: it bounds the memory and the cores that sign-ins may take.

    parameters: RFC 9106's second recommended option (64 MiB, 3 passes, 4 lanes). `at_once` hashes are worked on
    together, `waiting` more may wait, the rest is refused with Unavailable.
    """

    def __init__(self, parameters: Parameters = RFC_9106_LOW_MEMORY, *, at_once: int = 2, waiting: int = 64) -> None:
        self._hasher = PasswordHasher.from_parameters(parameters)
        self._nobody = _hash_of_nobody(parameters)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="passwords")
        self._most = at_once + waiting
        self._under_way = 0

    async def hashed(self, password: str) -> str:
        """The encoded hash, with its salt and parameters.

        Raises: Invalid for fewer than 10 characters or more than 1000 bytes; Unavailable when too many wait.
        """
        composed = acceptable(password)
        return await self._in_thread(lambda: self._hasher.hash(composed))

    async def verified(self, kept: str | None, password: str) -> bool:
        """Whether the password is the hash's. None (there is no such account) takes the same work and is False.

        Raises: Unavailable when too many wait.
        """
        if len(password) > MOST_BYTES:
            password, kept = "", None
        return await self._in_thread(lambda: self._matches(kept, password))

    def outdated(self, kept: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _matches(self, kept: str | None, password: str) -> bool:
        try:
            matches = self._hasher.verify(kept or self._nobody, _composed(password).encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
        return matches and kept is not None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._under_way >= self._most:
            raise Unavailable("Too many people are signing in just now. Try again shortly.", retry_after_seconds=2)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._under_way -= 1


def acceptable(password: str) -> str:
    """The password as it is hashed: composed (NFC), so that every keyboard's way to type a letter is the same letter.

    Raises: Invalid, without repeating the password.
    """
    composed = _composed(password)
    if len(composed) < LEAST_CHARACTERS:
        raise Invalid(
            f"The password is too short: it needs {LEAST_CHARACTERS} characters or more.",
            fields={"password": f"at least {LEAST_CHARACTERS} characters"},
        )
    try:
        size = len(composed.encode())
    except UnicodeEncodeError as error:
        raise Invalid("The password is no valid text.", fields={"password": "no valid Unicode"}) from error
    if size > MOST_BYTES:
        raise Invalid(
            f"The password is too long: it may have {MOST_BYTES} bytes.",
            fields={"password": f"at most {MOST_BYTES} bytes"},
        )
    return composed


def _composed(password: str) -> str:
    return unicodedata.normalize("NFC", password)


def _hash_of_nobody(parameters: Parameters) -> str:
    """A well-formed hash of no password: verifying against it takes the work of a real one and always fails."""
    kind = {Type.D: "argon2d", Type.I: "argon2i", Type.ID: "argon2id"}[parameters.type]
    costs = f"m={parameters.memory_cost},t={parameters.time_cost},p={parameters.parallelism}"
    salt, tail = (
        b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()
        for size in (parameters.salt_len, parameters.hash_len)
    )
    return f"${kind}$v={parameters.version}${costs}${salt}${tail}"
