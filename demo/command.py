"""`python -m demo`: what may be typed, what everything runs in, and how it ends."""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from demo import users
from demo.chapters import chapters
from demo.plans import FULL, LEFT_OUT, QUICK, Plan
from demo.platform import Platform
from demo.story import Story
from demo.telling import Failed, Teller


def main() -> None:
    """Tells it, and ends with 0; with 1 where the warning came late, a write was lost, or the story could not go on."""
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="The whole story on this machine. Measured are the users at which the platform breaks, the "
        "options, the move, and the load afterwards; dates are those of simulated growth, on a clock that runs days a "
        "second.",
    )
    parser.add_argument("--quick", action="store_true", help="ninety seconds instead of six minutes, coarser")
    parser.add_argument("--plain", action="store_true", help="no colour, nothing that moves")
    parser.add_argument("--keep", action="store_true", help="leave the folder")
    parser.add_argument("--seconds", action="store_true", help="say in the end how long each command took")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    plain = options.plain or "NO_COLOR" in os.environ
    sys.exit(_told(QUICK if options.quick else FULL, plain=plain, keep=options.keep, seconds=options.seconds))


def _interrupted(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt


def _told(plan: Plan, *, plain: bool, keep: bool, seconds: bool) -> int:
    folder = Path(tempfile.mkdtemp(prefix="outgrow-demo-"))
    folder.chmod(0o711)  # a PostgreSQL that root starts runs as another account, and passes through
    (folder / "password").touch(mode=0o600)
    (folder / "password").write_text(secrets.token_urlsafe(24))
    environment = environment_in(folder)
    teller, platform = Teller(environment, folder, plain=plain), Platform(folder / "data", environment)
    teller.say("outgrow and ventures: see it coming, prove it, move, and look back", "bold")
    teller.say(plan.about)
    teller.say(f"Everything lies in {folder}" + ("" if keep else ", and is removed at the end."), "dim")
    if not plan.whole:
        teller.say(LEFT_OUT, "dim")
    try:
        with users.told() as counted:
            story = Story(plan, teller, platform, folder, counted)
            for chapter in chapters(plan):
                chapter(story)
            faults = story.faults
    except Failed as failed:
        faults = [str(failed)]
    except KeyboardInterrupt:
        faults = ["interrupted"]
    finally:
        with teller.doing("ending all that was started"):
            teller.end()
            platform.stop()
            if not keep:
                shutil.rmtree(folder, ignore_errors=True)
    if seconds:
        heads = ("command", "began", "took")
        teller.table(heads, [(what[:70], f"{at:.1f} s", f"{took:.1f} s") for at, took, what in teller.took])
    teller.console.print()
    for fault in faults:
        teller.say(f"FAILED  {fault}", "bold white on red")
    if not faults:
        teller.say(f"It held. All of it took {teller.seconds:.0f} s, and every process has ended.", "bold green")
    return 1 if faults else 0


def environment_in(folder: Path) -> dict[str, str]:
    """Of the platform and both command lines: nothing of an installation that is on this machine already."""
    ours = ("VENTURES_", "OUTGROW_", "DATABASE_URL", "PG", "COLUMNS")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **outside,
        "VENTURES_DATA": str(folder / "data"),
        "VENTURES_PORT": "0",
        "VENTURES_INDEX_LAYOUT": "shared",
        "VENTURES_RATE_LIMIT_PER_MINUTE": "1000000",
        "VENTURES_LOG_LEVEL": "error",
        "NO_COLOR": "1",
    }
