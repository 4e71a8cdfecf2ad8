"""Which option is chosen, why, and when that must be thought over again.

In: a declared point, evidence, answers with their sources, the team's weights. Out: a ruling (one of four verdicts,
never rounded up), the weighing by five criteria with its sensitivity, and the text of a decision record with what
reopens it. Knows ``evidence``, ``outlook``, ``points``, ``quantities`` and ``errors``. Pure: files are read and written
by ``decision_folder``, facts come from ``imports`` and ``cli``.
"""
