"""Entry point of `python -m infra.cli`, which runs the command `hallmark` with the code in the current folder."""

from infra.cli import main

main()
