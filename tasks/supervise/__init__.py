"""A stage is the run's own code. It runs in a sandbox, where it reaches its inputs, one folder for its outputs, and
nothing else. What it leaves counts once it has been looked through, and is signed with what it read.

grants.py         what a stage gets beside code, parameters and inputs: a network, a folder that it keeps between runs
opened.py         what of that lies outside its run, so that what is mounted is what was checked
shown.py          the files that it sees of the run's worktree
box.py            the sandbox, as arguments of bubblewrap
network.py        the ports that it reaches, where it has a network
calls.py          the system calls that it cannot make
process.py        its process, and its end
limits.py         what it may take of the machine
handed_on.py      files that it writes while it works, for whoever watches
fetched.py        base models that stages have fetched
vault_service.py  the vault, to which stage `ingest` adds values
taken.py          what it leaves: plain files and folders alone
materials.py      what it reads and leaves, by digest
kept.py           the signed records of that, by which a result comes out of the cache
shell.py          the shell by which DVC starts a stage of a run
"""
