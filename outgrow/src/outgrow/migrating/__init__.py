"""Carries a move: the commands that ``outgrow.migration`` gives, done with a mover and written into the move's ledger.

In: a declared move, its mover, its ``MoveLedger``, a clock. Out: tenants that are moved, one journal line a step, and
what there is to say meanwhile: states, rate, lag, time left, why it waits. Speaks to the outside through ``ports``
alone.
"""
