"""Schema of params.yaml, one file for each section. Every parameter is declared, documented and validated here.

values.py          types that more than one section uses
use_case.py        use-case card: purpose, owners, success metrics
prompts.py         prompts of each task
prompt_template.py template of a prompt, with fields of a record
response.py        template of a response: form, fields and citation
citation_form.py   form of a citation, as an expression that is matched in linear time
coverage.py        required shares of refusals, handovers and questions back
filters.py         table of the filters of single records
data.py            section `data`: cleaning, deduplication and split
base_model.py      origin of the base model
methods.py         table of training methods
training_methods/  training methods, one file each
training.py        section `training`: fine-tuning
evaluation.py      section `evaluation`: prediction and metrics
vllm.py            limits of vLLM for adapters
resources.py       section `resources`: memory, price and speed of the machines used for training
params.py          all sections together
"""
