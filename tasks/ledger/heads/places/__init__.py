"""Where signed heads of the ledger are kept, out of reach of the database's owner.

    place.py     what every place can do
    named.py     which one a setting names
    folder.py    files in a folder: on another disk, another machine's share
    s3.py        objects under a prefix; give the bucket versioning or a lock
    git.py       a ref of a git remote, one commit for each head

Each keeps one file for each size of the tree and never writes over one.
"""
