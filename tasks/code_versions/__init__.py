"""Sign-off of code versions. Reviewers sign that governed runs may use the code of a commit.

signed_version.py  statement that a reviewer signs
sign_off.py        sign-off of a version, withdrawal of sign-offs, and status
"""
