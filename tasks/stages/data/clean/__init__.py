"""Stage `clean`, which removes records whose texts are empty, too short or too long.

clean.py  the stage
"""
