"""Where measurements come from: the only rooms that read the outside world.

In: declared signals and settings, a server's or a target's answers, files of history and of ramps. Out:
``Observation``, ``History``, ``Series`` and ``Ramp``; what could not be read comes out as a reason, never as a zero.
Knows ``ports`` and what lies below it.
"""
