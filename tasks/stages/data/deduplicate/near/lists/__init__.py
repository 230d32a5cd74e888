"""Word lists, written for Hallmark: lower-case, ä as ae, ß as ss; lines that begin with # are comments.

words.py reads them.
"""
