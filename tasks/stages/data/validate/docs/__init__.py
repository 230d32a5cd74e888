"""Data Docs: pages with the results of the suites.

pages.py   rendering of Great Expectations' scrubbed results
suite.j2   template of the page of a suite
index.j2   template of the list of pages
style.css  style of all pages
"""
