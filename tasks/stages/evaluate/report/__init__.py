"""The page for a product owner and an auditor.

page.py          what it says: verdicts in words, success metrics judged, rows to quote
report.py        the page, from templates/
charts.py        its pictures, as SVG
account.py       what the other stages say of themselves: rows in and out, suites, training
holdings.py      what sources.yaml says of each source, and how fresh it is
drill.py         how much of what was planted in a drill's sources was found
data_section.py  the figures of the data section
"""
