"""For all tests."""

import signal

# Started in the background by a shell, this process ignores SIGINT and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
