"""Stage `split`, which divides the records into a training and a test partition without a common prompt.

split.py             the stage
record_columns.py    records as columns, with the groups that stay in one partition
partitions.py        assignment of records to partitions
families.py          synthetic training records with a parent in the test or in validation
synthetic_share.py   share of synthetic records in training and test, by task
labels.py            labels that no training record has, or that nearly equal another one
draw.py              stratified draw of records by source and kind
split_result.py      result and metrics
partition_content.py content of a partition, read from its file
manifest.py          manifest of the dataset
canary_table.py      made-up records that training reads beside the training records
"""
