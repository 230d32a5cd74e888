"""Data Docs: pages with the results of the suites.

overview.py  labels, quarantined rows and sources without a suite, for the first page
pages.py   rendering of Great Expectations' scrubbed results
suite.j2   template of the page of a suite
index.j2   template of the list of pages
style.css  style of all pages
"""
