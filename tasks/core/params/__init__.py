"""The schema of params.yaml, a file a section. Every parameter is declared, documented and checked here alone.

values.py      kinds of values that several sections share
use_case.py    the card: why this model exists and when it is good enough
prompts.py     how records are put to the model
data.py        what is kept of the sources, and how it is split
base_model.py  where the model to fine-tune comes from
methods.py     the table of training methods
training.py    how it is fine-tuned
evaluation.py  how it is asked, and its answers judged
vllm.py        what vLLM cannot serve
resources.py   machines that train, and their price
params.py      all sections together
"""
