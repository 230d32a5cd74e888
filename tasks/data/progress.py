"""Progress lines, as `tasks.runs.dvc` reads them: `progress ingest 20000/100000 tickets 9,800 rows/s eta 8s`."""

import time

EVERY_SECONDS = 2.0


class Progress:
    """Says every few seconds how far a stage is."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total = name, total
        self.began = self.told = time.monotonic()

    def tell(self, done: int, of: str = "") -> None:
        now = time.monotonic()
        if now - self.told < EVERY_SECONDS:
            return
        self.told = now
        rate = done / (now - self.began)
        left = max(0, self.total - done) / rate if rate else 0
        print(
            f"progress {self.name} {done}/{max(done, self.total)} {of} {rate:,.0f} rows/s eta {left:.0f}s", flush=True
        )
