"""Possible contradictions between paraphrases: prompts that ask the same in other words, with different targets.

record_pairs.py    the pairs of records to show
candidates.py      pairs of prompts that may ask the same, by how far they stand out from their surroundings
word_vectors.py    vectors from the words alone, which give a shortlist
nearest.py         nearest neighbours among vectors, exact
sentence_model.py  the sentence model, all-MiniLM-L6-v2, which reads the shortlist
bert_layers.py     the layers of the model in NumPy
wording.py         differences of wording with which two prompts ask different things, however alike they are

The model finds likeness of meaning, and likeness proves nothing. So no record is removed: owners are shown the pairs.
"""
