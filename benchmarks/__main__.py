"""``python -m benchmarks`` runs every benchmark; ``python -m benchmarks NAME …`` one, with its own options.

Each uses one core: the numeric libraries are held to one thread before any of them is imported.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

BENCHMARKS = {
    "scalability": "benchmarks.scalability",
    "ramps": "benchmarks.ramps",
    "speed": "benchmarks.speed",
    "verdicts": "benchmarks.verdicts",
    "crossing": "benchmarks.crossing",
    "planning": "benchmarks.planning",
    "policies": "benchmarks.policies",
    "interleavings": "benchmarks.interleavings",
    "proving": "benchmarks.proving",
    "movers": "benchmarks.movers",
    "many-tenants": "benchmarks.many_tenants",
    "append": "benchmarks.platform.append",
    "consumer-lag": "benchmarks.platform.consumer_lag",
    "http-read": "benchmarks.platform.http_read",
    "storm": "benchmarks.platform.storm",
    "vectors": "benchmarks.platform.vectors",
    "load": "benchmarks.platform.load",
    "rebuild": "benchmarks.platform.rebuild",
    "moving": "benchmarks.moves.moving",
    "scale": "benchmarks.platform.scale",
    "shadow": "benchmarks.moves.shadow",
    "way-back": "benchmarks.moves.way_back",
}


def main(arguments: list[str]) -> int:
    """0 when all that was asked for ran (a missed target is no failure), 1 when one failed, 2 for an unknown name."""
    for library in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    if arguments and arguments[0] not in BENCHMARKS:
        print(f"no benchmark is called {arguments[0]}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    failed = []
    for name in arguments[:1] or list(BENCHMARKS):
        start = time.perf_counter()
        print(f"{name} ...", flush=True)
        try:
            importlib.import_module(BENCHMARKS[name]).main(arguments[1:])
        except Exception as error:
            if arguments:
                raise
            failed.append(name)
            print(f"{name} failed: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
