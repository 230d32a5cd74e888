"""Detectors that the owner of a source brings: models, and lists of patterns (`tasks.sources.owner_detectors`).

    pinned_files.py      files of a detector: digest, permitted files, and the copy that a stage reads
    label_check.py       comparison of a detector's labels with those that sources.yaml maps to categories
    kinds.py             table of the kinds of detectors
        presidio_patterns.py  patterns and deny lists from Presidio's YAML
        token_classifier.py   token classifier of transformers, from safetensors
            token_windows.py  windows of a long text's tokens
            token_spans.py    spans of characters from the probabilities of tokens
        spacy_pipeline.py     spaCy pipeline with an entity recogniser or entity ruler
            spacy_config.py   settings of a pipeline that are loaded without running other code
        device.py             device of a model, and PyTorch's settings
        gliner_model.py       GLiNER model, if its package is installed
    reading.py           finds of a detector in texts: windows, checked offsets, thresholds
    merging.py           finds merged with those of Hallmark's recognisers, and the count of what they add

Nothing in a detector's folder is executed, and nothing pickled is loaded. The files are read in the sandbox of stage
`ingest`, which has no network. The checks before a run read only JSON, YAML and spaCy's config.cfg.
"""
