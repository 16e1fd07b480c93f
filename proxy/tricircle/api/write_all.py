"""One write to all pods: it is decided by one, followed by the others, and owed to those that are down."""
import json
from dataclasses import replace

from tricircle.api.forward import UNREACHABLE_HEADER, failure, present, send
from tricircle.api.gateway import Gateway
from tricircle.api.message import Request, Response
from tricircle.api.once import key_of, owner
from tricircle.crosspod import alike, bring
from tricircle.crosspod.shapes import Shape
from tricircle.errors import ApiError, PodUnreachable, Unavailable
from tricircle.jobs.queue import INTENT_SECONDS
from tricircle.routing.catalogue import Path
from tricircle.store import behind, jobs, named, pods, replicas
from tricircle.store.db import now
from tricircle.upstream.client import Answer, member
from tricircle.upstream.scatter import scatter


class Write:
    """A request that changes what is the same in every pod.

    Before a pod is asked the intent is written down that all others will be behind it, so that whatever happens then it
    is known whom to follow. When the pod has accepted, they are marked. Marks go as the pods follow; for those that
    stay there is a job.

    Args:
        gateway, request, path: as in `generic.serve`.
        shape: None for what only has to be sent to all (quotas).
        key: by which the thing is known; None when the first pod chooses it.
    """

    def __init__(self, gateway: Gateway, request: Request, path: Path, shape: Shape | None, key: str | None):
        self.gateway, self.request, self.path, self.shape, self.key = gateway, request, path, shape, key
        self.db, self.writer = gateway.db, request.request_id
        self.rows = pods.bottom(self.db)
        self.creating = request.method == "POST" and not path.member
        self.job: dict | None = None
        self._stale: set[str] = set()
        self._intended = False

    def run(self) -> Response:
        """Carry it out.

        Raises:
            Unavailable: no pod that may decide can be reached; nothing was changed.
            BadGateway, GatewayTimeout: the deciding pod's answer was lost; the others will be like it.
            TooMany: the pods are owed enough already.
        """
        if self.shape:
            jobs.refuse_more(self.db, self.request.caller.project_id)
        try:
            self._announce()
            pod, first = self._decide()
            if not first.ok:
                return present(self.gateway, self.request, self.path, pod, first)
            pod, answer = self._follow(pod, first)
            if answer.ok:
                self._remember(answer)
            missing = [row["pod_name"] for row in self.rows if row["pod_id"] in self.late()]
        finally:
            self._release()
        response = present(self.gateway, self.request, self.path, pod, answer)
        if missing and answer.ok:
            response.headers.append((UNREACHABLE_HEADER, ", ".join(missing)))
        return response

    def late(self) -> dict[str, str]:
        """{pod id: writer} of the pods that are behind."""
        if self.key is None:
            return self._unmarked
        return behind.of(self.db, self.shape.kind, self.key)

    def _announce(self) -> None:
        self._unmarked: dict[str, str] = {}
        if self.key is not None:
            self.job = jobs.enqueue(self.db, "everywhere", f"{self.shape.kind}/{self.key}",
                                    self.request.caller.project_id, not_before=now() + INTENT_SECONDS)

    def _release(self) -> None:
        if self.job:
            if self._intended:
                behind.give_up(self.db, self.shape.kind, self.key, self.writer)
            (jobs.release if self.late() else jobs.withdraw)(self.db, self.job["id"])

    def _intend(self, late: list[dict]) -> None:
        if self.key is not None:
            self._intended = True
            behind.intend(self.db, self.shape.kind, self.key, [row["pod_id"] for row in late], self.writer,
                          INTENT_SECONDS)

    def _mark(self, late: list[dict], current: dict) -> None:
        ids = [row["pod_id"] for row in late]
        if self.key is None:
            self._unmarked = dict.fromkeys(ids, self.writer)
        else:
            behind.mark(self.db, self.shape.kind, self.key, ids, current["pod_id"], self.writer)
            self._intended = False

    def _settle(self, done: list[dict]) -> None:
        ids = [row["pod_id"] for row in done]
        self._unmarked = {pod_id: writer for pod_id, writer in self._unmarked.items() if pod_id not in ids}
        if self.key is not None:
            behind.followed(self.db, self.shape.kind, self.key, ids, self.writer)

    def _decide(self) -> tuple[dict, Answer]:
        """The first pod that is up to date, can be reached and has the thing."""
        decided, unreachable = None, []
        self._stale = set(self.late())
        for pod in alike.believed(self.rows, self._stale):
            others = [row for row in self.rows if row is not pod]
            self._intend(others)
            try:
                answer = send(self.gateway, self.request, self.path, pod)
            except PodUnreachable as error:
                if not error.sent:
                    unreachable.append(pod["pod_name"])
                    continue
                if self._entitled:
                    self._mark(others, pod)
                raise failure(error) from error
            decided = (pod, answer)
            if answer.ok:
                self._mark(others, pod)
            # A pod that lacks the thing (it was made directly in another one) does not decide about it.
            if answer.status != 404 or self.creating:
                break
        if decided is None or (decided[1].status == 404 and not self.creating and unreachable):
            raise Unavailable(f"{', '.join(unreachable)} may know more of it and cannot be reached now: nothing was "
                              "changed, try again later")
        return decided

    @property
    def _entitled(self) -> bool:
        """Whether the pod whose answer was lost may have done it: pods are disbelieved on nobody else's word."""
        caller = self.request.caller
        return caller.is_admin or bool(self.shape and self.shape.owned and owner(self.request) == caller.user_id)

    def _follow(self, pod: dict, first: Answer) -> tuple[dict, Answer]:
        """Let the others do the same; (pod, answer) to show: the first one's, or a refusal that undoes it all."""
        if self.shape and self.key is None:
            self._learn_key(pod, first)
        rest = {row["pod_name"]: row for row in self.rows if row is not pod}
        copy = self._copy(first)
        followed, _ = scatter(rest, lambda name: send(self.gateway, copy, self.path, rest[name]))
        done = [pod, *(rest[name] for name, answer in followed.items() if self._took(rest[name], answer))]
        for name, answer in followed.items():
            # What a pod refuses that has missed something before is no reason to go back to its old state.
            if 400 <= answer.status < 500 and rest[name] not in done and not self._bring(rest[name], answer) \
                    and rest[name]["pod_id"] not in self._stale:
                self._undo(done, rest[name])
                return rest[name], answer
        self._settle(done)
        return pod, first

    def _learn_key(self, pod: dict, first: Answer) -> None:
        record = self._record(first)
        self.key = key_of(self.shape, self.request, record)
        if self.shape.named:
            named.rename(self.db, self.shape.kind, record["name"], self.key)
        self._announce()
        self._mark([row for row in self.rows if row is not pod], pod)

    def _record(self, answer: Answer) -> dict:
        """Return what a pod says that it has made. Raises PodUnreachable where that makes no sense."""
        record = member(answer, self.shape.member)
        needed = ("id", "name") if self.shape.named else ()
        if not record or not all(isinstance(record.get(name), str | int) for name in needed):
            raise PodUnreachable(answer.pod, self.path.service.name, f"answered {answer.status} without what was made",
                                 doubtful=True)
        return record

    def _copy(self, first: Answer) -> Request:
        """What the others get: what the first pod chose by itself they must be told."""
        if not self.creating or not self.shape or not self.shape.told:
            return self.request
        chosen, name = self._record(first), self.shape.member
        told = {field: chosen[field] for field in self.shape.told if field in chosen}
        body = {**self.request.body_json, name: self.request.body_json[name] | told}
        return replace(self.request, body=json.dumps(body).encode(), body_json=body)

    def _took(self, pod: dict, answer: Answer) -> bool:
        """Whether a pod has followed: what is gone already need not go."""
        if not answer.ok:
            return self.request.method == "DELETE" and answer.status == 404
        if self.creating and self.shape and self.shape.named:
            replicas.adopt(self.db, self.key, pod["pod_id"], self.shape.kind, self._record(answer)["id"])
        return True

    def _bring(self, pod: dict, answer: Answer) -> bool:
        """A pod that lacks what is to be changed, or has it already, is made like the others. False: it refuses."""
        if not self.shape:
            return True
        if answer.status not in (404, 409):
            return False
        try:
            bring.ensure(self.db, self.gateway.upstream, self.shape, self.key, pod)
        except ApiError:
            return False
        except PodUnreachable:
            return True   # it stays behind
        return True

    def _undo(self, done: list[dict], refuser: dict) -> None:
        """A pod refuses what others have done (its volumes use the type): those become like it again."""
        self._mark([row for row in self.rows if row is not refuser], refuser)
        for pod in done:
            try:
                bring.ensure(self.db, self.gateway.upstream, self.shape, self.key, pod)
            except (ApiError, PodUnreachable):
                continue   # a job tries again
        if self.creating and self.shape.named:
            named.forget(self.db, self.key)

    def _remember(self, answer: Answer) -> None:
        """Names and ids of what each pod calls otherwise."""
        if not self.shape or not self.shape.named or self.path.rest:
            return
        if self.request.method == "DELETE":
            named.forget(self.db, self.key)
            for pod in self.rows:
                if pod["pod_id"] not in self.late():
                    replicas.drop(self.db, self.key, pod["pod_id"])
        elif self.request.method == "PUT" and self.path.member:
            record = member(answer, self.shape.member)
            if record.get("name"):
                named.rename(self.db, self.shape.kind, record["name"], self.key)
