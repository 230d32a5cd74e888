"""History of production, and comparison of releases.

release_contents.py  content of a release's folder, parsed for people and not verified
comparison.py        differences between two releases
history.py           champion and rollback of every model at a moment of the past, with the people who decided
notices.py           notices to people outside of Hallmark, made from entries of the ledger
"""
