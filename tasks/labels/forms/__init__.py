"""Forms of task files: what an annotator or adjudicator gets, and what comes back with labels.

task_file.py     content of a task file, the same in all forms
table.py         table of the forms
jsonl_form.py    JSON Lines, one item a line
spreadsheet.py   spreadsheet (XLSX) in which no cell is a formula
label_studio.py  tasks and annotations of Label Studio
"""
