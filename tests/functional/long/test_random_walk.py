"""Nothing left, nothing lost: users do anything in any order, somebody dies now and then, and all is well at the end.

`RANDOM_WALKS` in the environment says how many walks there are; each is the same whenever its number is.
"""
import os
import sys

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from tests.functional import quick_worker
from tests.functional.expected import Land
from tests.functional.gateway import Gateway
from tests.functional.mishaps import VICTIMS, Stage
from tests.functional.outside import Outside
from tests.functional.walker import KINDS, OPERATIONS, Walker

WALKS = int(os.environ.get("RANDOM_WALKS", 2))
# So that a walk has something to begin with: a router (first) that joins a subnet in each pod, and leads out (last).
START = [("net", 0, 0), ("net", 1, 0), ("port", 0, 0), ("port", 1, 0), ("join", 0, 0), ("join", 0, 0)]
REST = "rest"
MENU = [name for name, often in {**OPERATIONS, REST: 3, **dict.fromkeys(VICTIMS, 2)}.items() for _ in range(often)]
STEPS = st.lists(st.tuples(st.sampled_from(MENU), st.integers(0, 7), st.integers(0, 7)), min_size=12, max_size=30)
TABLES = ("bridges", "bridge_ips", "replicas")


@pytest.fixture(scope="module")
def gateway(cloud, tmp_path_factory):
    """With one process, which is soon there again."""
    made = Gateway(cloud, tmp_path_factory.mktemp("gateway"), processes=1, debug="false")
    made.start().register()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def stage(gateway):
    quick = {"command": (sys.executable, "-m", quick_worker.__name__)} if "QUICK_WALKS" in os.environ else {}
    made = Stage(gateway, lambda: gateway.worker(**quick))
    yield made
    made.close()


@pytest.fixture(scope="module")
def externals(cloud, gateway):
    made = [Outside(gateway, pod) for pod in ("Pod1", "Pod2")]
    yield made
    for each in made:
        each.vanish(cloud)


def drawn(number):
    """The steps of a walk: (operation or mishap, two numbers for it)."""
    found = []

    @seed(number)
    @settings(max_examples=1, database=None, phases=[Phase.generate])
    @given(STEPS.filter(lambda steps: len(set(steps)) > 5))   # not the simplest one, with which hypothesis begins
    def draw(steps):
        found.append(steps)

    draw()
    return found[-1]


class Walk:
    """One user's way from nothing to nothing."""

    def __init__(self, stage, externals):
        self.stage, self.gateway = stage, stage.gateway
        self.before = {each for pod in stage.cloud for shelf in pod.network.snapshot().values() for each in shelf}
        self.before |= set(stage.gateway.store()["interfaces"])
        self.walker = Walker(stage.gateway, externals)
        stage.is_hurt = False

    def take(self, steps):
        """All steps; then he goes."""
        _, pod, zone = steps[0]
        for name, a, b in [("router", zone, 1), *START, ("gateway", 0, pod), *steps]:
            self.walker.story.append(f"-- {name} {a} {b}")
            if name == REST:
                self.check()
            elif name in VICTIMS:
                self.stage.set_trap(name, a + 1, ("before", "after")[b % 2])
            else:
                self.stage.do(lambda name=name, a=a, b=b: getattr(self.walker, name)(a, b))
        self.check()
        self.walker.story.append("-- he leaves")
        for _ in range(6):
            left = self.walker.leave_nothing()
            self.check()
            if not left:
                break
        assert not left, self.told([left])
        self.check_gone()

    def check(self):
        """All is as the user means it."""
        self.stage.settle()
        held = {kind: self.walker.rows(kind) for kind in (*KINDS, "servers")}
        self.stage.settle()   # a look may have found that something has gone
        differences = Land(self.gateway, held, self.walker.project, self.before).differences()
        seen = {row["id"] for rows in held.values() for row in rows}
        differences += [f"lost: {kind} {each}" for each, (kind, _) in self.walker.sure.items() if each not in seen]
        differences += [f"still there: {each}" for each in self.walker.gone & seen]
        differences += [f"broken: {words}" for status, words in self.walker.broken
                        if status == 500 or not self.stage.is_hurt]
        assert not differences, self.told(differences)

    def check_gone(self):
        """Pods and store have nothing more than they had, but for the default groups that Neutron makes."""
        left = []
        for pod in self.stage.cloud:
            shelves = pod.network.snapshot()
            groups = {each for each, row in shelves["security-groups"].items() if row["name"] == "default"}
            left += [(pod.name, kind, row) for kind, rows in shelves.items() for each, row in rows.items()
                     if each not in self.before and not ({each, row.get("security_group_id")} & groups
                                                         and not row["description"].startswith("tricircle:"))]
            left += [row for row in pod.compute.snapshot().get("servers", {}).values()
                     if row["tenant_id"] == self.walker.project]
        store = self.gateway.store()
        left += [(table, row) for table in TABLES for row in store[table]
                 if self.walker.project in row and "security-groups" not in row]
        log = (self.gateway.folder / "worker.log").read_text()
        left += [line for line in log.splitlines() if "internal error" in line]
        assert not left, self.told(left)

    def told(self, differences):
        """For whoever reads the failure."""
        return "\n".join(["", *map(str, differences), "", *self.walker.story])


@pytest.mark.parametrize("number", range(WALKS))
def test_nothing_is_left_and_nothing_is_lost(stage, externals, number):
    Walk(stage, externals).take(drawn(number))
