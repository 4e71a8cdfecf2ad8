"""The whole way on the real platform, in some minutes: `python -m demo`.

In: this machine, with `ventures` and `outgrow` installed. Out: a story on the terminal, told by both command lines,
which run as anybody would type them; nothing of it stays. Knows what the commands print and what the platform answers
over HTTP; of its code only where its database is.
"""
