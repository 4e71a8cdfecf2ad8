"""How warnings reach people.

In: the status of every point (``outlook.status``) and the declared file. Out: messages in the ledger's outbox, and from
there to each notifier. ``episodes`` decides what follows from a status and ``messages`` puts it into words, both pure;
``delivery`` moves messages through the outbox; ``apprise`` is the built-in notifier. Knows ``ports`` and the rooms
before it, never the ledger's own code. Delivery is at least once, in order for each point: see ``delivery``.
"""
