"""Our own lints: remarks that were made twice. Each is a function from the repository's root to findings.

``python -m checks`` runs them all; a finding is ``file:line: what is wrong and what to do``.
"""
