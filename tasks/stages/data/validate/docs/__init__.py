"""Data Docs.

pages.py      writes them from Great Expectations' scrubbed results
suite.j2      the page of a suite; index.j2 lists the pages; style.css is part of both
"""
