"""Judges of answers, one file each. A new judge is a file here and a line in table.py.

judge.py                base class of a judge: its settings in a suite, and its verdict about one answer
expected.py             the answer is the expected one
same_label.py           the answer has the same label as that to the text without the change
fields.py               fields of a JSON answer have allowed values
excludes.py             the answer contains none of some texts
includes.py             the answer contains all of some texts
well_formed.py          the answer has the form of a training target
supported.py            numbers, addresses and links of the answer stand in what was asked
refusal.py              the answer is a refusal exactly if the request should be refused
safe_to_render.py       the answer does no harm where it is shown or executed
keeps_system_prompt.py  the answer does not repeat the system turn
searched_text.py        search for a text, in which case, spaces and punctuation do not count
table.py                union of all judges
"""
