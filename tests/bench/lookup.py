"""The look-up of a resource's home in a large table, beside a small one."""
import random
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median, quantiles

from tricircle.store import Database, pods, routings

SMALL, LARGE, ASKED, GOAL_US = 1_000, 1_000_000, 20_000, 20


def run() -> list[tuple[str, ...]]:
    """Rows of the table."""
    with tempfile.TemporaryDirectory() as folder:
        took = {size: _measure(Database(Path(folder) / f"{size}.sqlite"), size) for size in (SMALL, LARGE)}
    return [(f"look-up among {LARGE:,}", share, f"{took[LARGE][share]:.1f} us",
             f"among {SMALL:,} {took[SMALL][share]:.1f} us",
             f"goal {GOAL_US} us" if share == "p50" else "") for share in ("p50", "p95")]


def _measure(db: Database, size: int) -> dict[str, float]:
    db.upgrade()
    pod = pods.create(db, "Pod1", "az1")["pod_id"]
    draw = random.Random(size)
    ids = [str(uuid.UUID(int=draw.getrandbits(128))) for _ in range(size)]
    routings.learn(db, [(id, "servers", f"project{number % 1000}") for number, id in enumerate(ids)], pod)
    took = []
    for id in draw.choices(ids, k=ASKED):
        start = time.perf_counter()
        assert routings.home_pod(db, id, "servers")
        took.append((time.perf_counter() - start) * 1e6)
    db.close()
    return {"p50": median(took), "p95": quantiles(took, n=20)[-1]}
