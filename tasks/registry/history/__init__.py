"""What was in production when, and what changed.

declared.py    what a release says of itself, read for people
difference.py  what changed between two releases
history.py     what was in production at a moment of the past, and who had decided it
notices.py     what is told to people outside, entry by entry of the ledger
"""
