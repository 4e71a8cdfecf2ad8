"""The processes behind the API: the supervisor that starts everything, and the workers that carry consumers and
what is due.

In: settings. Out: running processes. May know: wiring.
"""
