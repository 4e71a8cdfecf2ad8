"""`python -m demo`"""

from demo.command import main

main()
