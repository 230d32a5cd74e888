"""Base models compared on the task, before one is chosen. A comparison advises; it opens no gate.

candidates.py  the file that lists them
allowed.py     what policy says of licence and region
rows.py        which rows they are asked and trained on: never those of the test side, never before the data gate
outcome.py     what came of one base model
figures.py     metrics with intervals, and paired differences
compare.py     all of it in order; read this one first
document.py    a comparison as one document
picture.py     quality against cost, worked out for the page
page.py        the page; its HTML is in templates/
"""
