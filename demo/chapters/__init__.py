"""The chapters, each a function of the story so far.

In: a `Story`, with what earlier chapters left in it. Out: what is told on the terminal, and in the story what those
after it need: the wall (chapter 3), the layout to move to (4), faults. Each knows the story and what is beside this
folder, none knows another.
"""

from __future__ import annotations

from collections.abc import Callable

from demo.chapters import afterwards, beginning, growth, move, options, wall
from demo.plans import Plan
from demo.story import Story


def chapters(plan: Plan) -> tuple[Callable[[Story], None], ...]:
    """In their order; without the fourth in the quick form."""
    proving = (options.told,) if plan.whole else ()
    return beginning.told, growth.told, wall.told, *proving, move.told, afterwards.told
