"""Word lists, written for Hallmark: in lower case, ä as ae, ß as ss; lines that begin with # are comments.

words.py  reading of a list
"""
