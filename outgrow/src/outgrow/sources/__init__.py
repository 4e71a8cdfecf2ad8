"""Where measurements come from while a service runs: servers and targets that are asked.

In: declared signals and settings, a server's or a target's answers. Out: ``Observation`` and ``History``; what could
not be read comes out as a reason, never as a zero. Knows ``ports`` and what lies below it.
"""
