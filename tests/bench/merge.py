"""What a merged list costs for each record of the pods' answers, beside only reading and writing the same JSON."""
import json
import tempfile
import time
import uuid
from pathlib import Path
from statistics import median
from types import SimpleNamespace

from tests.bench.backend import server
from tricircle.api.listing import merged_list
from tricircle.api.message import Request
from tricircle.routing.caller import Caller, Identity
from tricircle.routing.catalogue import COMPUTE, parse
from tricircle.routing.empty_pods import EmptyPods
from tricircle.routing.zones import Zones
from tricircle.store import Database, pods, replicas
from tricircle.upstream.client import Answer

ROUNDS, RECORDS, PODS = 7, 1000, (2, 8)
ROOT = "http://pod:8774"
HEADERS = {"content-type": "application/json"}


def run() -> list[tuple[str, ...]]:
    """Rows of the table."""
    return [_row(number) for number in PODS]


def _row(number: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        db = Database(Path(folder) / "db")
        db.upgrade()
        made = [pods.create(db, name, f"az{name}") for name in map(str, range(number))]
        for pod in made:
            replicas.record(db, str(uuid.uuid4()), pod["pod_id"], "routers", "p", str(uuid.uuid4()))
        bodies = {pod["pod_name"]: _body(RECORDS // number) for pod in made}
        cost = _interleaved(_merge(db, made, bodies), lambda: [json.dumps(json.loads(x)) for x in bodies.values()])
        db.close()
    return (f"merge of {number} pods", "processor time a record", f"{cost[0]:.1f} us",
            f"reading and writing {cost[1]:.1f} us", f"{cost[0] / cost[1]:.1f}")


def _body(records: int) -> bytes:
    return json.dumps({"servers": [server(str(uuid.uuid4()), ROOT) for _ in range(records)]}).encode()


def _merge(db: Database, made: list[dict], bodies: dict[str, bytes]):
    """What serves such a list, with pods that answer at once."""
    upstream = SimpleNamespace(account=SimpleNamespace(root=lambda *_: ROOT),
                               conf=SimpleNamespace(list_deadline=60.0),
                               call=lambda pod, *_, **__: Answer(pod, 200, HEADERS, bodies[pod]))
    here = SimpleNamespace(db=db, zones=Zones(None), upstream=upstream, empty_pods=EmptyPods(1))
    request = Request("GET", "/v2.1/servers/detail", f"limit={RECORDS}", {}, b"", "http://gateway:19998", "req-1",
                      Caller(Identity("u", project_id="p")))
    path = parse(COMPUTE, request.path)

    def merge() -> None:
        answer = merged_list(here, request, path, made)
        assert len(json.loads(answer.body)["servers"]) == RECORDS, answer

    return merge


def _interleaved(*functions) -> list[float]:
    """Median microseconds a record of each."""
    took: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS):
        for place, function in enumerate(functions):
            start = time.process_time()
            function()
            took[place].append((time.process_time() - start) / RECORDS * 1e6)
    return [median(each) for each in took]
