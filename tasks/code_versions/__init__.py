"""Sign-off of code versions: reviewers sign that governed runs can use the code of a commit.

signed_version.py  statement that a reviewer signs
sign_off.py        sign-off, withdrawal and status of a version
"""
