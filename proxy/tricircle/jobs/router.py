"""The job `router`: observe, plan, apply, until a fresh look finds nothing to do."""
from tricircle.crosspod import plan, span
from tricircle.crosspod.allocate import Allocator
from tricircle.crosspod.model import Observed
from tricircle.crosspod.observe import Pods
from tricircle.jobs.context import Context, JobFailed
from tricircle.jobs.members import owed, owed_again
from tricircle.jobs.playbooks import Outcome
from tricircle.store import interfaces, pods, replicas, spans

ROUNDS = 6
RETIRE_SECONDS = 20.0   # less than a request waits for a replica, more than Neutron takes to delete one


def converge(context: Context) -> None:
    """Make the pods' routers, bridges and routes what they should be for one router.

    The bridge network of a project is shared by its routers, whose jobs may run side by side. Each works on what it
    sees: an address row is written before a pod is touched and taken back after the port is gone, the network is
    deleted by whoever finds no row of another router in that pod, and where two get into each other's way Neutron
    refuses one of them, who then looks again.

    Raises:
        JobFailed: no way forward for now.
        PodUnreachable, Unavailable, Exhausted, PlaybookFailed: likewise.
    """
    router = _Router(context)
    stuck = ""
    for _ in range(ROUNDS):
        observed = router.observe()
        retired = router.retire(observed)
        if retired:
            # A request may have come and gone between the look and the claim. From the claim on none gets through, so
            # what is seen now stays true; going by the first look would throw away a replica that is in use.
            observed = router.observe()
        todo = router.plan(observed, retired)
        if not todo:
            owed_again(context, observed.project_id)
            return router.conclude(observed)
        # Whom a router reaches says which members of security groups have to be let in.
        with owed(context.db, observed.project_id):
            failures = _failures(context.apply("converge_router", todo))
        router.learn(observed, todo, failures)
        reason = "; ".join(f"pod {pod}: {outcome.failure}" for pod, outcome in failures.items())
        if reason and reason == stuck:
            raise JobFailed(reason, patient=all(outcome.failure.unanswered for outcome in failures.values()))
        stuck = reason
    raise JobFailed(stuck or f"the pods' state keeps changing: not settled after {ROUNDS} rounds")


class _Router:
    """One router during one attempt."""

    def __init__(self, context: Context):
        self.context, self.db = context, context.db
        self.router_id = context.job["resource_id"]
        self.ids = {row["pod_name"]: row["pod_id"] for row in pods.bottom(self.db)}
        self.pods = Pods(context.upstream)
        self.allocator = Allocator(context.conf, self.db, self.pods, self.ids)

    def observe(self) -> Observed:
        return span.observe(self.db, self.pods, self.router_id, self.context.job["project_id"])

    def retire(self, observed: Observed) -> dict[str, int]:
        """Claim the replicas that nobody seems to use, to delete them: {pod: fence}."""
        mine = spans.replica_pods(self.db, self.router_id)
        fences = {pod: spans.retire(self.db, self.router_id, self.ids[pod], RETIRE_SECONDS)
                  for pod in plan.idle(observed) if self.ids[pod] in mine}
        return {pod: fence for pod, fence in fences.items() if fence is not None}

    def plan(self, observed: Observed, retired: dict[str, int]) -> dict[str, list[dict]]:
        """Steps of each pod that has any. Takes and gives back what the store hands out."""
        retired = {pod: retired[pod] for pod in plan.idle(observed) if pod in retired}
        members = plan.members(observed, self.allocator.known(self.router_id))
        self.allocator.give_back(observed, members)
        allocation = self.allocator.provide(observed, members)
        self._keep(observed, retired)
        wanted = plan.wanted(observed, allocation, set(retired))
        steps = {pod: plan.steps(observed, pod, want) for pod, want in wanted.items()}
        for pod, fence in retired.items():
            if not observed.pods[pod].router:
                replicas.abandon(self.db, self.router_id, self.ids[pod], fence)
        return {pod: todo for pod, todo in steps.items() if todo}

    def learn(self, observed: Observed, todo: dict[str, list[dict]], failures: dict[str, Outcome]) -> None:
        """A refused VLAN is in use in that pod by something that could not be seen before: take the next one."""
        for pod, outcome in failures.items():
            step = next(step for step in todo[pod] if step["name"] == outcome.failure.step)
            if "takes_vlan" in step and outcome.failure.status == 409:
                self.allocator.leave_vlan(observed, step["takes_vlan"])

    def conclude(self, observed: Observed) -> None:
        """Nothing is left to do in the pods that answered."""
        spanning = plan.members(observed, self.allocator.known(self.router_id))
        interfaces.keep(self.db, self.context.job, {self.ids[pod]: span.addresses(seen) if spanning else {}
                                                    for pod, seen in observed.pods.items() if not seen.lost},
                        whole=not observed.unreachable)
        if observed.unreachable:
            raise JobFailed("; ".join(observed.unreachable.values()), patient=True)
        leftover = [pod for pod, seen in observed.pods.items() if seen.router and not observed.home]
        if leftover:
            raise JobFailed(f"router {self.router_id} is gone from its home, but still has interfaces in "
                            f"{', '.join(leftover)}")
        waiting = plan.shadowed(observed)
        if waiting:
            raise JobFailed(f"the router has interfaces for floating IPs in {', '.join(waiting)}", patient=True)
        self.allocator.give_back_bridge(observed)

    def _keep(self, observed: Observed, retired: dict[str, int]) -> None:
        """Replicas that stay are known by their id: one was on its way out when a request took it back."""
        known = replicas.of_resource(self.db, self.router_id)
        for pod, seen in observed.pods.items():
            if pod != observed.home and pod not in retired and seen.router:
                local_id = seen.router.router_id
                if known.get(self.ids[pod]) != local_id:
                    replicas.correct(self.db, self.router_id, self.ids[pod], "routers", observed.project_id, local_id,
                                     known.get(self.ids[pod]))


def _failures(outcomes: dict[str, Outcome]) -> dict[str, Outcome]:
    return {pod: outcome for pod, outcome in outcomes.items() if outcome.failure}
