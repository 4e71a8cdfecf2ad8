"""What is measured, neutral of where it comes from.

In: times and values as sources give them. Out: frozen ``Series`` and ``Ramp``, and what can be read off them: weekly
medians, rates, quantiles from histogram buckets, gaps and shifts. Knows only ``points``, ``quantities`` and ``errors``.
Pure: no clock, no network, no randomness.
"""
