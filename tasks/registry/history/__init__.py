"""History of production, and comparison of releases.

release_contents.py  content of a release's folder, parsed for display and not verified
comparison.py        differences between two releases
history.py           state of production at a past time, with the people who decided
notices.py           notices for people outside of Hallmark, created from ledger entries
"""
