"""Make a pod's flavor, keypair or volume type like that of the pods whose word counts: observe, plan."""
import json
from collections.abc import Container
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tricircle.crosspod.shapes import MICROVERSIONS, VERSIONS, Shape
from tricircle.errors import PodUnreachable
from tricircle.freetext import in_document, swapped, swapping
from tricircle.store import Database, named, replicas
from tricircle.upstream.client import Answer, Upstream
from tricircle.upstream.scatter import scatter
from tricircle.uuids import ids


@dataclass(frozen=True)
class State:
    """A thing as one pod has it, with home ids.

    Args:
        record: as it is shown.
        parts: {field of the part: its value}.
    """

    record: dict[str, Any]
    parts: dict[str, Any]


@dataclass(frozen=True)
class Thing:
    """One thing that is the same everywhere, and how the pods are asked for it.

    Args:
        db, upstream: as everywhere.
        shape: its kind.
        key: by which it is known; of a user's thing `<user id>/<name>`, of a named one the home id.
    """

    db: Database
    upstream: Upstream
    shape: Shape
    key: str

    def look(self, pod: dict) -> State | None:
        """How a pod has it; None when it has not. Raises PodUnreachable."""
        record = self._read(pod, self.path())
        if record is None and self.shape.named and self._adopt(pod):
            record = self._read(pod, self.path())
        record = (record or {}).get(self.shape.member)
        if not record:
            return None
        parts = {part.field: self._part(pod, part) for part in self.shape.parts if part.path}
        return State(record, {part.field: record.get(part.field) for part in self.shape.parts if not part.path} | parts)

    def truth(self, current: list[dict]) -> State | None:
        """How the pods that count have it; None when it is in none of them.

        Args:
            current: their rows.

        Raises:
            PodUnreachable: none of those that answer has it, and one does not answer.
        """
        rows = {pod["pod_name"]: pod for pod in current}
        found, failed = scatter(rows, lambda name: self.look(rows[name]))
        state = next((state for state in found.values() if state), None)
        if state is None and failed:
            raise next(iter(failed.values()))
        return state

    def steps(self, pod: dict, wanted: State | None) -> list[dict]:
        """What the pod has yet to do to be like `wanted`; a thing that is made gets its parts in the next round."""
        has = self.look(pod)
        plan = _calls(self.shape, wanted, has)
        steps = [self._step(call, made=has is None) for call in plan]
        local = replicas.to_local(self.db, pod["pod_id"], ids(json.dumps(steps).encode()))
        for step in steps if local else ():
            step["path"] = swapped(step["path"].encode(), local).decode()
            step["body"] = in_document(step["body"], swapping(local))
        return steps

    def path(self, suffix: str = "") -> str:
        """Path of the thing, or of something below it, with its home id."""
        name = self.key.partition("/")[2] if self.shape.owned else self.key
        whole = f"{collection(self.upstream, self.shape)}/{quote(name, safe='')}{suffix}"
        return f"{whole}?user_id={self.key.partition('/')[0]}" if self.shape.owned else whole

    def _step(self, call: tuple[str, str, Any], made: bool) -> dict:
        method, suffix, body = call
        return {"name": f"{method} {self.shape.kind} {self.key}{suffix}", "method": method, "body": body,
                "path": collection(self.upstream, self.shape) if made else self.path(suffix),
                "done_on": [404] if _optional(call) else []}

    def _part(self, pod: dict, part: Any) -> Any:
        value = self._read(pod, self.path(part.path))
        if value is None:
            return None
        if part.field:
            value = value.get(part.field)
        return [item[part.only] for item in value or []] if part.only else value

    def _read(self, pod: dict, path: str) -> Any:
        wire = path.encode()
        local = swapped(wire, replicas.to_local(self.db, pod["pod_id"], ids(wire))).decode()
        body = _answer(self.upstream, self.shape, pod["pod_name"], local)
        return json.loads(swapped(body, replicas.to_home(self.db, pod["pod_id"], ids(body)))) if body else None

    def _adopt(self, pod: dict) -> bool:
        """Take the pod's thing of the same name for this one."""
        name = named.name(self.db, self.key)
        for record in listed(self.upstream, self.shape, pod["pod_name"]):
            if record["name"] == name and record["id"] != self.key:
                replicas.adopt(self.db, self.key, pod["pod_id"], self.shape.kind, record["id"])
                return True
        return False


def _calls(shape: Shape, wanted: State | None, has: State | None) -> list[tuple[str, str, Any]]:
    """The plan. Pure."""
    if has is None:
        if wanted is None:
            return []
        body = {name: wanted.record[field] for name, field in shape.create
                if wanted.record.get(field) not in (None, "")}
        return [("POST", "", {shape.member: body})]
    if wanted is None or any(wanted.record.get(field) != has.record.get(field) for field in shape.fixed):
        return [("DELETE", "", None)]
    changes = {name: _text(wanted.record.get(field)) for name, field in shape.update
               if _text(wanted.record.get(field)) != _text(has.record.get(field))}
    calls = [("PUT", "", {shape.member: changes})] if changes else []
    for part in shape.parts:
        calls += part.changes(wanted.parts.get(part.field), has.parts.get(part.field))
    return calls


def _text(value: Any) -> Any:
    """Cinder takes null for a field that is to stay as it is."""
    return "" if value is None else value


def _optional(call: tuple[str, str, Any]) -> bool:
    """What is gone already need not go; what is to be joined to a thing that the pod lacks waits for that thing."""
    return call[0] == "DELETE" or "associate" in call[1]


def collection(upstream: Upstream, shape: Shape) -> str:
    """Path of a kind's collection."""
    version = VERSIONS[shape.service]
    if "{" in version:
        version = version.format(project=upstream.account.project_id())
    return f"{version}/{shape.collection}"


def listed(upstream: Upstream, shape: Shape, pod: str) -> list[dict]:
    """All that a pod has of a kind, with the pod's ids. Raises PodUnreachable."""
    document = json.loads(_answer(upstream, shape, pod, collection(upstream, shape) + shape.query) or b"{}")
    return next((value for name, value in document.items() if isinstance(value, list) and not name.endswith("_links")),
                [])


def _answer(upstream: Upstream, shape: Shape, pod: str, path: str) -> bytes | None:
    """Body of a GET; None when there is no such thing. A broken answer is no answer."""
    answer = ask(upstream, pod, "GET", path)
    if answer.status != 404 and (not answer.ok or answer.json() is None):
        raise PodUnreachable(pod, shape.service, f"answered {answer.status} to GET {path}")
    return answer.body if answer.ok else None


def ask(upstream: Upstream, pod: str, method: str, path: str, body: Any = None) -> Answer:
    """A call as the service account; the service is told by the path's version. Raises PodUnreachable."""
    service = next(name for name, version in VERSIONS.items() if path.startswith(version.split("{")[0]))
    return upstream.ask(pod, service, method, path, body, microversion=MICROVERSIONS.get(service, ""))


def believed(rows: list[dict], late: Container[str]) -> list[dict]:
    """The pods whose word counts; all, when writers in each other's way have left none."""
    return [pod for pod in rows if pod["pod_id"] not in late] or rows
