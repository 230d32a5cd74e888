"""Log lines of Hallmark's own processes, and the files that they go to.

    settings.py       setting `HALLMARK_LOG_FORMAT`, and environment variables of a process that logs
    lines.py          one log line: as text or as a JSON object
    rotation.py       log files of limited size, which several processes write
    handler.py        logging handler that writes lines to standard error, and rotates their file
    uncaught.py       log lines about uncaught exceptions and warnings
    configuration.py  logging configuration of Prefect, of uvicorn and of other processes

A process in the background has its output in a file, a process in the foreground on the terminal or in the journal of
systemd. Each of them writes to standard error, and only the first kind rotates.
"""
