"""The channels that come with the platform. They enter by the same door as others: entry points of `ventures.channels`.

In: settings, credentials, a client. Out: `ports.Channel`. May know: ports, outbound, errors.
"""
