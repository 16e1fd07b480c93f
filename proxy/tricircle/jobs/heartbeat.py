"""Keep a job's lease while it runs."""
import threading
from pathlib import Path

from tricircle.crosspod import lease
from tricircle.errors import LeaseLost, StoreBusy
from tricircle.store import Database, jobs

SHARE = 3   # of the lease: two renewals may fail before it ends


class Heartbeat:
    """Context manager: renews the lease in the store and in the job's lease file.

    Args:
        db: the store.
        job: as claimed.
        seconds: length of the lease.
        folder: of the lease file.
    """

    def __init__(self, db: Database, job: dict, seconds: float, folder: Path):
        self.db, self.job, self.seconds = db, job, seconds
        self.path = folder / lease.name(job["id"])
        self._stop, self._lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{job['id']}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        lease.write(self.path, self.job["fence"], self.job["lease_until"])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        lease.end(self.path, self.job["fence"])

    def lost(self) -> bool:
        """Whether another worker has the job, or it was cancelled. The file knows that before the next renewal."""
        return self._lost.is_set() or not lease.stands(self.path, self.job["fence"])

    def _beat(self) -> None:
        try:
            while not self._stop.wait(self.seconds / SHARE):
                try:
                    lease.write(self.path, self.job["fence"], jobs.renew(self.db, self.job, self.seconds))
                except (StoreBusy, OSError):
                    continue   # the lease ends by itself if the store, or room on the disk, stays away
                except LeaseLost:
                    self._lost.set()
                    return
        finally:
            self.db.close()
