"""Bring the numbers that an administrator set for the big region to a pod."""
import re

from tricircle.errors import PodUnreachable
from tricircle.store import quotas
from tricircle.upstream.client import Answer, Upstream, member

# (service, collection) -> (path of a set, its key in bodies, what else goes along): `own` is Tricircle's own project.
# Nova would refuse a number below what it counts at the moment: that was looked at when the number was set.
SETS = {
    ("compute", "os-quota-sets"): ("/v2.1/os-quota-sets/{owner}", "quota_set", {"force": True}),
    ("compute", "os-quota-class-sets"): ("/v2.1/os-quota-class-sets/{owner}", "quota_class_set", {}),
    ("volume", "os-quota-sets"): ("/v3/{own}/os-quota-sets/{owner}", "quota_set", {}),
    ("volume", "os-quota-class-sets"): ("/v3/{own}/os-quota-class-sets/{owner}", "quota_class_set", {}),
    ("network", "quotas"): ("/v2.0/quotas/{owner}", "quota", {}),
}
# Nova asks Keystone about a project (nova/api/openstack/identity.py). Cinder and Neutron take any id.
GONE = re.compile(rb"Project ID \S+ is not a valid project")


def resource(service: str, collection: str, owner: str) -> str:
    """The name under which a job knows a set of numbers."""
    return f"{service}/{collection}/{owner}"


def parts(resource_id: str) -> tuple[str, str, str]:
    """(service, collection, owner) of a job's resource."""
    service, collection, owner = resource_id.split("/", 2)
    return service, collection, owner


def bring(upstream: Upstream, pod: str, resource_id: str, told: dict[str, int]) -> list[str]:
    """Make a pod's numbers those of the big region.

    Args:
        upstream: calls.
        pod: its name.
        resource_id: as `resource` makes it.
        told: as `store.quotas.told` gives it.

    Returns:
        What was changed, in words.

    Raises:
        PodUnreachable: no answer, or a refusal.
    """
    service, collection, owner = parts(resource_id)
    path, key, more = SETS[service, collection]
    path = path.replace("{owner}", owner)
    if "{own}" in path:
        path = path.replace("{own}", upstream.account.project_id())
    done = []
    if quotas.RESET in told:
        _good(upstream.ask(pod, service, "DELETE", path), service, 404)
        done.append("back to the default")
    answer = upstream.ask(pod, service, "GET", path)
    if answer.status == 400 and GONE.search(answer.body):
        return ["the project is gone"]
    has = member(_good(answer, service), key)
    # A name that the pod does not know is a volume type that it has not got.
    lacking = {name: number for name, number in told.items() if name in has and has[name] != number}
    if lacking:
        _good(upstream.ask(pod, service, "PUT", path, {key: lacking | more}), service)
        done += [f"{name} is {number} now" for name, number in sorted(lacking.items())]
    return done


def _good(answer: Answer, service: str, *also: int) -> Answer:
    if not answer.ok and answer.status not in also:
        raise PodUnreachable(answer.pod, service, f"answered {answer.status} to a quota: {answer.body[:200]!r}",
                             status=answer.status)
    return answer
