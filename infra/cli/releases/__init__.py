"""`hallmark releases`: what was promoted, by whose decisions, and back to an earlier one; one file a verb, or two."""
