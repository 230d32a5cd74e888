"""`hallmark data`: sources, datasets and single records, one file a verb."""
