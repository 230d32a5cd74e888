"""What `tasks.core.graph` is made of, as far as stages themselves import it.

A stage's digest follows its imports. So the stages of data, some of which ask which there are, stand apart from the
gates and from the other stages: a new one of those makes no stage of data run again.

stage.py   a stage: its module, what it reads and leaves
data.py    the stages of data
"""
