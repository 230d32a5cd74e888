"""Stage `split`, which divides the records into a training and a test partition without a common prompt.

split.py           the stage
record_columns.py  records as columns, with the groups that stay in one partition
partitions.py      assignment of records to partitions
draw.py            stratified draw of records by source and kind
manifest.py        manifest of the dataset
"""
