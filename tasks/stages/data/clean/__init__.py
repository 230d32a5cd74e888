"""Stage `clean`.

clean.py  the stage
"""
