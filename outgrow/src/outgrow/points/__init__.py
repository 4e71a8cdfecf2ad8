"""The declared file: what is watched, where its limits are, and what could be done about them.

In: ``outgrow.yaml``. Out: a frozen ``Declaration`` (rewrite points, signals, triggers, options, team, costs), or every
finding at once with file, line and column. Knows only ``quantities`` and ``errors``.
"""
