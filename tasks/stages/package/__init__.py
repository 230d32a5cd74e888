"""Stage `package`: what a release consists of.

params.py      what it reads of params.yaml
package.py     the stage
model_card.py  the card, in Hugging Face form
ml_bom.py      the bill of materials, as a CycloneDX ML-BOM
"""
