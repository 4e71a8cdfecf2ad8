"""A tenant whose copy takes longer than the lag that is allowed, while it is written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from outgrow.migrating.conditions import Conditions
from outgrow.migration.records import Pace


def test_writes_do_not_hold_up_the_copy_that_they_wait_for(moving: Any, application: Any, tmp_path: Path) -> None:
    """Its changes are carried once the copy is there, so their age throttles no copying."""
    move = moving(tenants=("ana", "bo"), items=400, pace=Pace(batch=1, most_lag_seconds=0.02))
    move.make()
    with application(move):
        engine = move.engine(throttled=Conditions(tmp_path).why_not, pause=time.sleep)
        engine.ledger.want(engine.migration, None, "ready", "ana@here")
        try:
            assert engine.run(None, "ready", seconds=8.0) == "reached"
        finally:
            engine.let_go()
            engine.ledger.close()
