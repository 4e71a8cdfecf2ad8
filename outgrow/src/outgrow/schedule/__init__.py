"""Which rewrites a team can carry, and when each must start.

In: options with their efforts, limits in users, growth a month and the team's rules, as small frozen dataclasses (or
read off a ``points`` declaration). Out: growth limits, plans and what gives when a plan cannot be carried. Knows only
``points``, ``quantities`` and ``errors``. Pure: "now" is zero; whoever shows dates adds them.
"""
