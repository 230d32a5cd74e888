"""`python -m infra.cli` is the `hallmark` command with the code of the current folder."""

from infra.cli import main

main()
