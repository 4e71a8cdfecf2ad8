"""Moves so small that ``benchmarks.interleavings`` tries every order of their steps: models, without any server.

``copying`` and ``filling`` decide by the real ``next_command`` and ``advanced``; ``naive`` is what does not hold.
"""
