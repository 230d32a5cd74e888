"""Records that contradict each other, put before who answers for them, with both texts side by side.

pairs.py    the pairs that `deduplicate` found, as far as a person may see them, and what decided
words.py    two texts with the words that differ marked; what a screen would obey instead of show, made visible
page.py     a page to read and to print: page.html, page.css
"""
