"""How a router's pods differ from what they should be, in words. Pure: its job's plan, not carried out."""
from tricircle.crosspod import plan
from tricircle.crosspod.model import Allocation, Observed
from tricircle.crosspod.steps import differences


def of_router(observed: Observed, allocation: Allocation, replicas: dict[str, str | None]) -> dict[str, list[str]]:
    """What is wrong in each pod that answered.

    Args:
        observed: what the pods have.
        allocation: what the store has handed out, and no more.
        replicas: {pod: the replica's id as the store has it; None while it has none}.

    Returns:
        {pod: differences}, without pods in which all is well.
    """
    joined = plan.members(observed, allocation.ips)
    unprovided = [pod for pod in joined if not allocation.segment or pod not in allocation.ips]
    if unprovided:
        return {pod: ["the router has no address on the bridge"] for pod in unprovided}
    unused = {pod for pod in plan.idle(observed) if pod in replicas}
    wanted = plan.wanted(observed, allocation, unused)
    found = {pod: [*_store(observed, pod, allocation, joined, replicas),
                   *differences(plan.steps(observed, pod, want))] for pod, want in wanted.items()}
    return {pod: words for pod, words in found.items() if words}


def _store(observed: Observed, pod: str, allocation: Allocation, joined: list[str],
           replicas: dict[str, str | None]) -> list[str]:
    """What the store takes for true and is not."""
    seen, known = observed.pods[pod], replicas.get(pod)
    words = []
    if pod in replicas and not seen.router and not seen.lost:
        words.append("the router's replica is gone, and nothing tells which interfaces it had")
    if pod != observed.home and seen.router and known != seen.router.router_id:
        words.append(f"the store does not know the router's replica {seen.router.router_id}")
    if not observed.home and seen.router and seen.router.interfaces:
        words.append("the router is gone from its home, and its replica still has interfaces")
    if pod in allocation.ips and pod not in joined and not seen.ports and not seen.bridge:
        words.append(f"the bridge address {allocation.ips[pod]} is handed out, and nothing has it")
    return words
