"""Stage `split`, which divides the records into a training and a test side without a common prompt.

split.py           the stage
record_columns.py  records as columns, with the groups that stay on one side
sides.py           assignment of records to sides
draw.py            stratified draw of records by source and kind
manifest.py        manifest of the dataset
"""
