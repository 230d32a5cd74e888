"""Contradictory records, shown in pairs and side by side to people with access.

pairs.py      pairs that `deduplicate` found, and the rule that decided each
text_diff.py  two texts with their differences marked
html_page.py  HTML page for screen and print, rendered from page.html and page.css
"""
