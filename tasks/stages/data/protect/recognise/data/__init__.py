"""Word lists and who may use them: README.md names the source and the licence of each; lists.py reads them."""
