"""Data Docs: pages with the results of the suites.

pages.py  rendering of Great Expectations' scrubbed results
suite.j2      page of a suite; index.j2 is the list of pages, and style.css the style of both
"""
