"""Integer ids. Two pods both have an aggregate 1, so to the user a pod's numbers end in the pod's own number.

Aggregate 7 of the pod whose `ag_<pod>` has number 2 is aggregate 7002. UUIDs need none of this.
"""
import re
from typing import Any

from tricircle.routing.catalogue import Path
from tricircle.routing.rewrite import walk

STRIDE = 1000    # more pods than that have no place in one region
LONGEST = 18     # digits: 64 bits, and no pod's database has longer ones


def whole(text: str) -> int | None:
    """A member of a path as a number; None for what no pod takes for one.

    `int` refuses thousands of digits, and takes those of other scripts.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST else None


def pod_number(path: Path) -> int | None:
    """The number of the pod that a path's member belongs to; None where the path names no such member.

    A number below STRIDE is no pod's: those are Tricircle's own (`ag_<pod>`), or a pod's as it knows them itself.
    """
    number = whole(path.member) if path.collection.per_pod else None
    return None if number is None or number < STRIDE else number % STRIDE


def down(path: Path, target: str) -> str:
    """A request's path and query with the pod's own number."""
    if pod_number(path) is None:
        return target
    local = str(int(path.member) // STRIDE)
    return re.sub(rf"(/{re.escape(path.collection.path)}/){path.member}(?![^/?])", rf"\g<1>{local}", target, count=1)


def up(path: Path, pod: dict, document: Any) -> bool:
    """A pod's numbers become the user's, in place, wherever a field `id` is a number; True when anything changed."""
    changed = False
    for _, field, holder, value in list(walk(document)) if path.collection.per_pod else ():
        if field == "id" and type(value) is int:
            holder["id"], changed = value * STRIDE + pod["aggregate_id"], True
    return changed
