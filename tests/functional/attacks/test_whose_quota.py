"""A quota is read and claimed for the caller's project, or for one that the pods let the caller look after."""
import sqlite3

import pytest

from tests.functional.attacks.estate import OURS
from tests.functional.quotas import at_home_in_both, put
from tests.functional.user import IMAGE, User, flavor

FEW = {"compute": {"instances": 2}, "volume": {"volumes": 2}, "network": {"network": 2, "subnet": 2}}


@pytest.fixture
def boss(gateway):
    """The administrator."""
    return User(gateway, "admin")


@pytest.fixture
def victim(gateway, boss):
    """A, in both pods, with little room."""
    found = at_home_in_both(gateway)
    for service, numbers in FEW.items():
        put(boss, found, service, **numbers)
    return found


@pytest.fixture
def stranger(gateway):
    """B, in both pods, with room enough."""
    return at_home_in_both(gateway)


def claims(gateway, project):
    """What was ever claimed of a project's quota, or noted of its use, and is not forgotten yet."""
    with sqlite3.connect(f"file:{gateway.folder}/state/tricircle.sqlite?mode=ro", uri=True) as db:
        return [db.execute(f"SELECT * FROM {table} WHERE project_id = ?", (project,)).fetchall()
                for table in ("quota_claims", "quota_usage")]


@pytest.mark.parametrize("field", ["project_id", "tenant_id"])
def test_a_strangers_word_reads_nobodys_quota(gateway, cloud, victim, stranger, field):
    named, server = {field: victim.project}, {"name": "vm", "imageRef": IMAGE, "flavorRef": flavor(gateway),
                                              "networks": "none", "min_count": 8}
    bodies = {
        ("compute", "/servers"): {"server": server | named},
        ("volume", "/volumes"): {"volume": {"size": 1} | named},
        ("network", "/networks"): {"network": named},
        ("network", "/networks/"): {"networks": [named, {}, named]},
        ("network", "/networks?"): {"networks": [{}, named]},
        ("network", "/subnets"): {"subnet": {"network_id": stranger.net("az1"), "ip_version": 4,
                                             "cidr": "10.5.0.0/24"} | named},
    }
    before, pods = claims(gateway, victim.project), cloud.snapshot()
    for (service, path), body in bodies.items():
        with cloud.log.listening(OURS) as heard:
            answer = getattr(stranger, service).post(path, body,
                                                     headers={"OpenStack-API-Version": "compute 2.37"})
        assert [call for call in heard if victim.project in call] == []
        assert b"uota" not in answer.raw, answer.raw
    assert claims(gateway, victim.project) == before
    victims = [row for pod in cloud for row in pod.network.shelf("networks").values()
               if row["project_id"] == victim.project]
    assert len(victims) == 2
    assert [line for line in pods["Pod1"]["network"]["networks"] if line not in cloud.snapshot()["Pod1"]["network"][
        "networks"]] == []


def test_what_the_pods_let_one_do_counts_for_the_named_project(gateway, boss, victim, stranger):
    """The administrator's networks for A are A's; each of a list counts for its own project."""
    answer = boss.network.post("/networks", {"network": {"project_id": victim.project}})
    assert (answer.status, answer["NeutronError"]["type"]) == (409, "OverQuota"), "A has its two"
    mixed = {"networks": [{"project_id": stranger.project}, {"project_id": victim.project}]}
    answer = boss.network.post("/networks", mixed)
    assert (answer.status, answer["NeutronError"]["type"]) == (409, "OverQuota")
    open_claims = [row for project in (stranger.project, victim.project) for row in claims(gateway, project)[0]
                   if row[-1] is None]
    assert open_claims == [], "what was claimed for the others of the list is given back"
    made = boss.network.ok("POST", "/networks", {"networks": [{"project_id": stranger.project}, {}]})["networks"]
    assert [each["project_id"] for each in made] == [stranger.project, boss.project]


def test_a_body_names_few_projects(boss):
    answer = boss.network.post("/networks", {"networks": [{"project_id": f"{number:032x}"} for number in range(40)]})
    assert answer.status == 400
    assert "20 projects" in answer["NeutronError"]["message"]


def test_a_number_of_anothers_use_is_in_no_refusal(gateway, cloud, victim, stranger):
    """Neither in that of an action on another's volume nor in that of a quota that is set too low."""
    volume = victim.disk("az1")
    calls = [("volume", "POST", f"/volumes/{volume}/action", {"os-extend": {"new_size": 5000}}),
             ("compute", "PUT", f"/os-quota-sets/{victim.project}", {"quota_set": {"instances": 0}}),
             ("network", "PUT", f"/quotas/{victim.project}", {"quota": {"network": 0, "check_limit": True}}),
             ("network", "GET", f"/quotas/{victim.project}/details", None),
             ("compute", "GET", f"/limits?tenant_id={victim.project}", None)]
    for service, method, path, body in calls:
        with cloud.log.listening(OURS) as heard:
            answer = getattr(stranger, service).call(method, path, body)
        assert answer.status in (403, 404), answer.raw
        assert heard == []
