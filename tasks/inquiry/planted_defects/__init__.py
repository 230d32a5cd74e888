"""Score of the data stages in a drill: a run on sources into which known defects were planted.

Files in reading order:

    ground_truth.py         ground truth: the table of planted defects, and the rules that should find each kind
    row_score.py            score by rows: defective rows, and the rule that removed each
    value_score.py          score by characters: personal and secret values in texts, and how much of them was masked
        text_pairs.py       texts of the records, paired with those of their sources
        masked_spans.py     spans of a source's text that placeholders replaced
        character_score.py  recall and precision over characters
    score.py                the whole score of a run
    gate_facts.py           recall of masking by category, as metrics for the data gate

No stage reads the ground truth, because it could leak into what a model learns. If sources.yaml names a ground truth,
the report computes the scores from the run's artefacts and the pinned sources. DVC does not track the scores, because
nothing may depend on them.
"""
