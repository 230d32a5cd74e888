"""Stage `deduplicate`, which removes records that repeat or contradict other records.

deduplicate.py      the stage
deduplicate_result.py  its result and metrics
output_tables.py    its tables: quarantine, contradictions, clusters
record_columns.py   records as columns
prompt_analysis.py  content and edition of the prompts of similar records
preference.py       order of preference, which decides which of several records is kept
duplicates.py       exact duplicates
similarity/         near-identical texts
neighbours.py       groups of similar records
families.py         parents of synthetic records, which are removed with them
contained_prompts.py  prompts of real records within those of synthetic ones
group_records.py    similar records as the rules see them, and searches among them
paraphrases/        pairs of prompts in other words that may contradict each other; no record is removed by them
verdicts.py         rules that remove records of a group, and the records kept instead
"""
