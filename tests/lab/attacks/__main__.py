"""Try to harm one ordinary project as another one, and as nobody, in the real lab: `python -m tests.lab.attacks`.

One line an attack. After each of them A must see and use what A had, and the pods hold what they held; no answer may be
an error of the gateway's own, in another format than the service's, or tell of what is A's. OS_* are those of the top
region's administrator. Exit status 1 when anything is broken.

    python -m tests.lab.attacks [WORD]      only those attacks whose name has the word
"""
import json
import sys
import time

from tests.functional.standin.cloud import difference
from tests.lab.attacks import bounds, ids, paths, tokens
from tests.lab.attacks.scene import Broken, Scene, settle

ATTACKS = {**paths.ATTACKS, **tokens.ATTACKS, **ids.ATTACKS, **bounds.ATTACKS}
STYLES = {19999: "error", 9696: "NeutronError"}
SHOWN = 4   # of what was seen


def answers(scene: Scene) -> None:
    """Judge what B and nobody were answered."""
    sent = "".join(text for text, _ in scene.said)
    for _, answer in scene.said:
        what = answer.what
        scene.check(answer.status < 500 or answer.status == 501, f"{what}: {answer.status} {answer.raw[:120]!r}")
        told = answer.raw.decode("utf-8", "replace") + str(answer.headers)
        for word in scene.secret:
            scene.check(word not in told or word in sent, f"{what} tells {word}: {answer.raw[:160]!r}")
        if 400 <= answer.status < 500 and answer.raw:
            scene.check(formed(answer), f"{what}: {answer.status}, and its format {answer.raw[:120]!r}")


def formed(answer) -> bool:
    """Whether an error is JSON, as all services' are; a pod's router may speak plain text of what it does not know."""
    if answer.status in (404, 405) and "json" not in answer.headers.get("content-type", ""):
        return b"Traceback" not in answer.raw and "x-openstack-request-id" in answer.headers
    try:
        return isinstance(json.loads(answer.raw), dict)
    except ValueError:
        return False


def differences(before: dict, after: dict) -> list[str]:
    """What A sees otherwise."""
    return [f"A's {call}: {line[:200]}" for call in before for line in difference(
        told(before[call]), told(after.get(call)))]


def told(call: tuple | None) -> dict:
    """A call's outcome as a document in which a difference has a place; records are found by their ids."""
    return {} if call is None else {"status": call[0], "body": keyed(call[1]), "unreachable": call[2]}


def keyed(document):
    """A document with lists of records as {id: record}."""
    if isinstance(document, dict):
        return {key: keyed(value) for key, value in document.items()}
    if isinstance(document, list) and document and all(isinstance(row, dict) and "id" in row for row in document):
        return {row["id"]: row for row in document}
    return document


def restored(scene: Scene, pods: set) -> set:
    """What has come to the pods and does not go by itself, as (pod, service, collection, id)."""
    end = time.monotonic() + 8   # volumes go slowly
    while (more := scene.census() ^ pods) and time.monotonic() < end:
        time.sleep(0.5)
    return more


def attempt(scene: Scene, attack, before: dict, pods: set) -> dict:
    """One attack, and the judgement of it; what A sees after it."""
    try:
        attack(scene)
    except Broken as broken:
        scene.check(False, str(broken))
    finally:
        scene.tidy()
    answers(scene)
    more = restored(scene, pods)
    scene.check(not more, f"in the pods: {len(more)} things came or went, {sorted(more)[:3]}")
    for pod, service, collection, id in more - pods:
        scene.boss.pods[pod][service].delete(f"/{collection}/{id}")
    after = scene.view()
    for line in differences(before, after):
        scene.check(False, line)
    return after


def run(scene: Scene, word: str) -> int:
    """All attacks; how many came through."""
    broken, before, pods = 0, scene.view(), scene.census()
    for name, attack in ATTACKS.items():
        if word not in name:
            continue
        scene.said.clear()
        scene.seen.clear()
        begun = time.monotonic()
        before = attempt(scene, attack, before, pods)   # what is harmed once is not held against the next attack
        seen = list(dict.fromkeys(scene.seen))
        broken += bool(seen)
        print(f"{'BROKEN' if seen else 'held  '} {name} ({len(scene.said)} calls, {time.monotonic() - begun:.1f} s)",
              *(f"       - {line}" for line in seen[:SHOWN]),
              *([f"       - and {len(seen) - SHOWN} more"] if len(seen) > SHOWN else []), sep="\n", flush=True)
    return broken


def main() -> int:
    """Attack, and leave the lab as it was."""
    begun, scene = time.monotonic(), Scene()
    scene.leave()
    try:
        scene.enter()
        settle(scene)
        broken = run(scene, " ".join(sys.argv[1:]))
    finally:
        scene.leave()
    print(f"{broken} of {len(ATTACKS)} attacks came through ({time.monotonic() - begun:.0f} s)")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
