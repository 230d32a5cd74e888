"""Agreement of annotators with each other, and with the gold examples.

krippendorff.py  Krippendorff's alpha for nominal, ordinal and interval labels
bootstrap.py     bootstrap intervals over items
report.py        report about a round: whole, per class, and per annotator against the gold examples
"""
