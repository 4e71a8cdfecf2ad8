"""Schema changes, one file a step, one step a room at first. Run by `ventures.database.migrate` as the owner of the
tables.
"""
