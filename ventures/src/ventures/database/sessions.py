"""One connection for a question from the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from ventures.database.pool import SEARCH_PATH
from ventures.errors import Unavailable

CONNECT_SECONDS = 5


@contextmanager
def session(address: str) -> Iterator[psycopg.Connection[Any]]:
    """Raises: Unavailable where PostgreSQL does not answer, or goes away; it says what PostgreSQL said."""
    try:
        with psycopg.connect(
            address, options=SEARCH_PATH, application_name="ventures", connect_timeout=CONNECT_SECONDS
        ) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise Unavailable(f"The database does not answer: {' '.join(str(error).split())}") from error
