"""outgrow sees the limits of a growing service coming, and says when.

Metrics come in at one end and a dated, honest warning goes out at the other; each room knows only the rooms
before it: quantities → points → signals → outlook → schedule → ports → adapters → wiring → cli.
"""

__version__ = "0.1.0"
