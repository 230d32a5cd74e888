"""Export of the release in production to a folder that other tools load as it is.

export.py        steps of an export: admission, files, comparison of answers, signature, ledger entry
forms.py         forms of an export, and the one that suits a release on a hub
source.py        source of an export: the admitted release, its base model, parameters and settings
adapter.py       folder for PEFT: adapter and tokenizer, with the name or the files of the base model
merged.py        folder for transformers and vLLM: adapter and base model as one model
gguf_file.py     file for llama.cpp: header, weights and tokenizer in GGUF
gguf_weights.py  names, order and precision of the weights in a GGUF file
gguf_tokens.py   tokenizer in a GGUF file
hub.py           files that a repository on a model hub needs besides the model
export_card.py   model card of an export
evaluated.py     rows and answers of the release's evaluation
answers.py       answers of an export to these rows
llama_cpp.py     answers of a GGUF file in llama.cpp
statement.py     signed statement about an export
verification.py  verification of an export from its folder
"""
