"""Stage `split`: two sides that share no prompt.

split.py     the stage
placed.py    the records as columns, and which of them belong together
sides.py     which side a record stands on
draw.py      some records of many, by source and kind
manifest.py  what the dataset is made of
"""
