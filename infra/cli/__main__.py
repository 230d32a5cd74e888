"""Entry point of `python -m infra.cli`, which is the command `hallmark` with the code of the current folder."""

from infra.cli import main

main()
