"""Data stages, the part of the table in `tasks.core.graph` that data stages themselves import.

The digest of a stage's code covers the modules that it imports, and some data stages import the list of data stages. So
this list is separate from the gates and the other stages. Otherwise, adding a gate or another stage would make the data
stages run again.

stage.py  class of a stage: its module, inputs and outputs
data.py   list of the data stages
kinds.py  kinds of sources, with the rules of their readers
"""
