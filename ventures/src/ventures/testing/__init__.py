"""What tests of the platform, and of what plugs into it, need: real servers, fresh databases, contract suites.

May import every room; no room imports it.
"""
