"""Word lists, written for Hallmark.

Words are in lower case, with ä spelled as ae and ß as ss. Lines that begin with # are comments.

words.py  reader of a word list
"""
