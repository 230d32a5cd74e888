"""Stage `package`: build the payload of a release.

params.py      sections of params.yaml that the stage reads
package.py     entry point of the stage
model_card.py  model card in Hugging Face's format
ml_bom.py      bill of materials as a CycloneDX ML-BOM
"""
