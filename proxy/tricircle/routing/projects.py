"""Whose the things are that a request makes: the caller's project's, or that of a project which the body names.

Only Neutron's bodies name projects: Nova's and Cinder's things are the caller's project's, whatever a body says (their
schemas know no such field where a quota is taken). Neutron refuses another project than the caller's unless the caller
passes for an administrator there (neutron_lib/api/attributes.py `_validate_privileges`), and shows the quota of another
project by the same rule, `context_is_admin` (neutron/conf/policies/quotas.py). So the quota is what the pods are asked
for, with the caller's own token: where they do not show it nothing is read, claimed or bound for the named project, and
the pod that gets the request refuses it.
"""
from collections.abc import Iterable
from typing import Any

from tricircle.errors import BadRequest, PodUnreachable
from tricircle.routing.caller import Caller
from tricircle.routing.catalogue import PROJECT
from tricircle.routing.fields import project_of
from tricircle.upstream.client import Upstream
from tricircle.upstream.deadline import Deadline
from tricircle.upstream.scatter import scatter

MOST = 20   # projects in one body: for each of them the pods are asked
LONGEST = 64   # of a project's id, in Keystone's database


def owners(upstream: Upstream, caller: Caller, names: Iterable[str], given: Any) -> list[str]:
    """Whose each member of a body for Neutron is.

    Args:
        upstream: as everywhere.
        caller: whose token.
        names: of the pods that are asked.
        given: what stands under the member's name: an object, or a list of them.

    Raises:
        BadRequest: too many projects.
        PodUnreachable: none of the pods answers.
    """
    members = given if isinstance(given, list) else [given]
    named = [_named(each) or caller.project_id for each in members]
    foreign = dict.fromkeys(each for each in named if each != caller.project_id)
    if len(foreign) > MOST:
        raise BadRequest(f"one request makes things for {MOST} projects at most", "HTTPBadRequest")
    deadline = Deadline(upstream.conf.list_deadline)
    # `all` stops at the first that is refused: for whoever may not do it, one answer says so.
    allowed = all(_shown(upstream, caller, list(names), each, deadline) for each in foreign)
    return named if allowed else [caller.project_id] * len(named)


def _named(member: Any) -> str | None:
    found = project_of(member) if isinstance(member, dict) else None
    return found if found and len(found) <= LONGEST and PROJECT.fullmatch(found) else None


def _shown(upstream: Upstream, caller: Caller, names: list[str], project_id: str, deadline: Deadline) -> bool:
    answers, failed = scatter(names, lambda name: upstream.call(
        name, "network", "GET", f"/v2.0/quotas/{project_id}", headers=caller.headers, deadline=deadline))
    sound = [answer for answer in answers.values() if answer.status < 500]
    broken = [PodUnreachable(name, "network", f"answered {answer.status} about a quota")
              for name, answer in answers.items() if answer.status >= 500]
    if not sound and (broken or failed):
        raise next(iter([*broken, *failed.values()]))
    return bool(sound) and all(answer.ok for answer in sound)
