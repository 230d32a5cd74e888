"""Pairs of records that contradict each other, shown to people with access, with both texts side by side.

pairs.py      pairs that `deduplicate` found, and the rule that decided each
text_diff.py  two texts with their differences marked
html_page.py  HTML page for screen and print, made of page.html and page.css
"""
