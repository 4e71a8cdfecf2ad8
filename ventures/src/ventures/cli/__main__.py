"""`python -m ventures.cli`: how `serve` starts its children, wherever the command `ventures` is."""

from ventures.cli import main

main()
