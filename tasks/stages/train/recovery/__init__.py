"""Recovery of a training run from failures.

attempts.py              attempts after lost or hung workers, lack of memory and diverged steps
checkpoints.py           checkpoints, from which a training run is resumed exactly
safe_loading.py          loading of checkpoints without executing code in them
universal_checkpoint.py  conversion of a checkpoint for another number of workers
machine_check.py         detection of machines that cannot train with the others
divergence.py            detection of steps whose loss is not finite or has jumped
watchdog.py              watchdog, which ends a worker that hangs and writes its stack
"""
