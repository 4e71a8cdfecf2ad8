"""A believable population, and the load it makes: for measuring how far an installation carries.

In: a number of users and a seed. Out: accounts, ventures, content; an open-loop workload with its report. May know:
every room by its door, the client, wiring. Nothing of it runs unless somebody asks for it.
"""
