"""HTML report of an evaluation, for product owners and auditors.

page_contents.py     contents of the page: verdicts in words, judged success metrics, quoted rows
rendering.py         rendering of the page from templates/
charts.py            geometry of the charts, which are drawn as SVG
confidence_charts.py geometry of the charts about the candidate's confidence
suite_section.py     results of the evaluation suites
worst_failures.py    worst failures, by severity and confidence
untested.py          parts that the evaluation does not show
leakage_section.py   leakage of training data
stage_results.py     results of the other stages: rows in and out, expectation suites, training
source_freshness.py  sources of the dataset: owner, terms and freshness
planted_defects.py   recall and precision on defects that were planted in the sources
data_section.py      contents of the data section
"""
