"""Sign-off of code versions: reviewers sign that governed runs may use the code of a commit.

signed_version.py  statement that a reviewer signs
sign_off.py        signing, withdrawal and status of a version
"""
