"""The job `shadow`: what stands for a network's ports in other pods goes when no floating IP needs it any more."""
from tricircle.crosspod import shadow
from tricircle.crosspod.observe_shadow import ShadowPods
from tricircle.crosspod.shadow import Home, Shadow
from tricircle.jobs.context import Context, JobFailed, Plan, Surroundings
from tricircle.store import jobs, pods, replicas, routings, spans
from tricircle.upstream.scatter import scatter

ROUNDS = 4
RETIRE_SECONDS = 20.0   # less than a request waits for a replica


def converge(context: Context) -> None:
    """Take away the shadows of one network that are not in use.

    The replica row of the network guards all of its shadow in a pod: a request that needs a shadow announces this job
    and asks for the row before anything else; so while the job has the row, nobody begins to use what it takes away.

    Raises:
        JobFailed: no way forward for now.
        PodUnreachable, Unavailable, PlaybookFailed: likewise.
    """
    network = _Network(context, context.job["resource_id"], context.job["project_id"])
    stuck = ""
    for _ in range(ROUNDS):
        todo = network.plan()
        if not todo:
            return network.conclude()
        outcomes = context.apply("converge_shadow", todo)
        reason = "; ".join(f"pod {pod}: {outcome.failure}" for pod, outcome in outcomes.items() if outcome.failure)
        if reason and reason == stuck:
            raise JobFailed(reason)
        stuck = reason
    raise JobFailed(stuck or f"the pods' state keeps changing: not settled after {ROUNDS} rounds")


def plan(around: Surroundings, network_id: str, project_id: str) -> Plan:
    """What of a network's shadows would be taken away now; nothing is claimed."""
    network = _Network(around, network_id, project_id)
    home, seen = network.look()
    return {name: shadow.undo(each, home) for name, each in seen.items() if each}, network.unreachable


class _Network:
    """One network during one attempt, or one look."""

    def __init__(self, around: Surroundings, network_id: str, project_id: str):
        self.db, self.network_id, self.project_id = around.db, network_id, project_id
        self.rows = {row["pod_id"]: row for row in pods.bottom(self.db)}
        self.pods = ShadowPods(around.upstream)
        self.fences: dict[str, int] = {}
        self.unreachable: dict[str, str] = {}
        self.is_home_known = True
        self.owner = project_id
        self.leaving = False
        self.freed: set[str] = set()

    def plan(self) -> dict[str, list[dict]]:
        """Steps of each pod in which there is something to take away."""
        home, seen = self.look()
        claimed = {name: fence for name, pod, each in self._of(seen) if name not in self.fences
                   and self._is_wrong(each, home) and (fence := spans.retire(
                       self.db, self.network_id, pod["pod_id"], RETIRE_SECONDS)) is not None}
        if claimed:
            # From the claim on no request gets through: what is seen now stays true.
            self.fences |= claimed
            home, seen = self.look()
        todo = {}
        for name, pod, each in self._of(seen):
            if name not in self.fences:
                continue
            if each and (steps := shadow.undo(each, home)):
                self.freed |= {interface.router_id for interface in shadow.unused_interfaces(each, home)}
                todo[name] = steps
                continue
            self._forget_gone(pod, home)
            if each is None:
                replicas.abandon(self.db, self.network_id, pod["pod_id"], self.fences.pop(name))
            else:
                replicas.settle(self.db, self.network_id, pod["pod_id"], each.network_id, self.fences.pop(name))
        return todo

    def conclude(self) -> None:
        """Nothing is left to do in the pods that answered."""
        unmade = replicas.forget_unmade(self.db, self.project_id)
        for router_id in self.freed:
            # Its replica there may have nothing else to do.
            jobs.enqueue(self.db, "router", router_id, self.project_id)
        if self.unreachable:
            raise JobFailed("; ".join(self.unreachable.values()), patient=True)
        if unmade:
            raise JobFailed("a request is making shadows, or has died doing so", patient=True)
        if self.leaving:
            raise JobFailed("a server with a floating IP is still being deleted", patient=True)

    def look(self) -> tuple[Home, dict[str, Shadow | None]]:
        """The network at home, and its shadows by pod."""
        known = routings.home(self.db, self.network_id)
        at = known["pod_id"] if known else self._found()
        home = self.pods.home(self.db, self.network_id, self.rows[at]) if at else Home()
        self.is_home_known = at is not None
        owner = self.owner = known["project_id"] if known else self.project_id
        there = {self.rows[pod_id]["pod_name"]: self.rows[pod_id]
                 for pod_id in spans.replica_pods(self.db, self.network_id) - {at}}
        seen, failed = scatter(there, lambda name: self.pods.shadow(self.db, self.network_id, owner, there[name], home))
        self.unreachable = {name: str(error) for name, error in failed.items()}
        devices = [home.ports.get(port.home_id, "") for each in seen.values() if each for port in each.ports]
        self.leaving = any(routings.is_leaving(self.db, device) for device in devices)
        return home, seen

    def _found(self) -> str | None:
        """Routings are a cache: an unknown home is no proof that the network is gone."""
        by_name = {row["pod_name"]: pod_id for pod_id, row in self.rows.items()}
        return by_name.get(self.pods.home_of(self.network_id, list(by_name), "networks"))

    def _of(self, seen: dict[str, Shadow | None]) -> list[tuple[str, dict, Shadow | None]]:
        by_name = {row["pod_name"]: row for row in self.rows.values()}
        return [(name, by_name[name], each) for name, each in seen.items()]

    def _is_wrong(self, seen: Shadow | None, home: Home) -> bool:
        """Where nothing is seen the row is wrong; if no home is known, it may be the row of a network that moved."""
        return bool(shadow.undo(seen, home)) if seen else self.is_home_known

    def _forget_gone(self, pod: dict, home: Home) -> None:
        """Rows go after what they speak of: as long as the pod shows it, its name for the users is needed.

        The network's row, which guards them, goes last. Whoever is interrupted in between leaves rows of what is gone,
        so all are looked at that the owners concerned have in the pod. Raises PodUnreachable.
        """
        owners = {self.project_id, self.owner, *home.owners.values()}
        rows = replicas.in_pod(self.db, pod["pod_id"], ("subnets", "ports"), owners)
        strangers = replicas.strangers(self.db, pod["pod_id"], [row["resource_id"] for row in rows])
        for row in self.pods.gone(pod["pod_name"], [row for row in rows if row["resource_id"] in strangers]):
            replicas.forget(self.db, row)
