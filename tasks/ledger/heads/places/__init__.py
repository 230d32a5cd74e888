"""Places where signed heads of the ledger are published, out of reach of the database's owner.

    place.py    interface of all places
    setting.py  parser of the setting HALLMARK_LEDGER_HEADS
    folder.py   files in a folder, for example on another disk or a network share
    s3.py       objects under a prefix; the bucket should have versioning or object lock
    git.py      commits on a ref of a git remote, one for each head

Each place holds one file for each size of the tree and never overwrites it.
"""
