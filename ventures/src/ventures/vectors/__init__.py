"""Where vectors lie: stores in every layout, the process that holds the embedded ones, and the way to it.

In: points (an id, a kind, a vector and little more) of one venture at a time. Out: the nearest points of that
venture, with their scores. Nothing here knows what a point means, or PostgreSQL. May know: settings, errors.
"""
