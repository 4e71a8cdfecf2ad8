"""What is watched of the platform itself: the signals behind every trigger of growth, and the audits that find them.

In: tables, processes and logs of the whole installation. Out: numbers without a venture or a person in them. May
know: search, generation, posts, planner, content, tenancy, log, accounts, billing, regions.
"""
