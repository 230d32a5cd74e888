"""What a release says of itself in its payload, written by stage `package` and read by whoever checks it.

manifest.py  what it was made from, by digest
asking.py    how it is asked, so that it answers as it did when it was evaluated
"""
