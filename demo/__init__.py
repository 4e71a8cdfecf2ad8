"""The whole way on the real platform, in some minutes: `python -m demo`.

In: this machine, with `ventures` and `outgrow` installed. Out: a story on the terminal, told by both command lines,
which run as anybody would type them; nothing of it stays. It ends with 1 where the warning came late, or a write was
lost. Knows what the commands print and what the platform answers over HTTP; of its code only where its database is.

`command` is what may be typed, `plans` how long and how hard; `chapters` tell it one after the other, on a `story` that
holds what is known so far. Beside them: `declaring` makes outgrow.yaml small, `growing` sends load and looks at it,
`writing` is somebody who writes meanwhile, `users` and `platform` are what is watched, `figures` reckons, `telling` is
what is seen.
"""
