"""`python -m lobule` is the command `lobule`."""

from lobule.cli.app import main

main()
