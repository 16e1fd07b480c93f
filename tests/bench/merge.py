"""What merging the pods' lists costs for each record, beside only reading and writing the same JSON."""
import json
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median
from types import SimpleNamespace

from tests.bench.backend import server
from tricircle.api import listing, query
from tricircle.api.message import Request
from tricircle.routing.catalogue import COMPUTE, parse
from tricircle.routing.zones import Zones
from tricircle.store import Database, pods, replicas
from tricircle.upstream.client import Answer

ROUNDS, RECORDS = 7, 1000
ROOT = "http://pod:8774"


def run() -> list[tuple[str, ...]]:
    """Rows of the table."""
    with tempfile.TemporaryDirectory() as folder:
        db = Database(Path(folder) / "db")
        db.upgrade()
        rows = [_row(db, number) for number in (2, 8)]
        db.close()
    return rows


def _row(db: Database, number: int) -> tuple[str, ...]:
    here = SimpleNamespace(db=db, zones=Zones(None),
                           upstream=SimpleNamespace(account=SimpleNamespace(endpoint=lambda *_: ROOT)))
    request = Request("GET", "/v2.1/servers/detail", "limit=1000", {}, b"", "http://gateway:19998", "req-1")
    path = parse(COMPUTE, request.path)
    there = {row["pod_name"]: row for row in
             (pods.by_name(db).get(name) or pods.create(db, name, f"az{name}") for name in map(str, range(number)))}
    for row in there.values():
        replicas.record(db, str(uuid.uuid4()), row["pod_id"], "routers", "p", str(uuid.uuid4()))
    answers = {name: Answer(name, 200, {}, json.dumps({"servers": [
        server(str(uuid.uuid4()), ROOT) for _ in range(RECORDS // number)]}).encode()) for name in there}

    def merge() -> None:
        documents = {name: listing._clean(here, request, path, there[name], answer) for name, answer in answers.items()}
        json.dumps(listing._merge(request, path, query.read(request, path), documents)).encode()

    def base() -> None:
        for answer in answers.values():
            json.dumps(json.loads(answer.body)).encode()

    cost = _interleaved(merge, base)
    return (f"merge of {number} pods", "for each record", f"{cost[0]:.1f} us", f"reading and writing {cost[1]:.1f} us",
            f"{cost[0] / cost[1]:.1f}")


def _interleaved(*functions) -> list[float]:
    """Median microseconds a record of each."""
    took: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for place, function in enumerate(functions):
            start = time.thread_time()
            function()
            took[place].append((time.thread_time() - start) / RECORDS * 1e6)
    return [median(each) for each in took]
