"""Pictures of the whole for others to read: alert rules, a dashboard, a page.

In: the declared file, and finished records of the outlook. Out: text that is the same for the same input, byte by byte.
Asks nothing of the network, and what it makes asks nothing of it either. Knows ``ports`` and the rooms before it.
"""
