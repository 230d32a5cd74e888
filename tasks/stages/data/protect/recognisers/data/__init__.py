"""Word lists. README.md names the source and licence of each; lists.py reads them."""
