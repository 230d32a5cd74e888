"""What a release says of itself in its payload, written by stage `package` and read by whoever checks it.

manifest.py  what the dataset is made of
identity.py  what makes two candidates the same
asking.py    how a release is asked, so that it answers as when it was evaluated
"""
