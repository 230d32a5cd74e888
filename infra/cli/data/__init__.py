"""Command group `hallmark data`: sources, datasets and single records. One file for each command."""
