"""A multi-tenant content platform in which every venture has one ordered log.

A command changes a venture's state and appends its events in one database transaction. Everything else (directory,
notifications, analytics, whatever comes later) is a consumer that reads the log from a position, and can be rebuilt,
compared and moved. Rooms and the order of their imports: ARCHITECTURE.md.
"""
