"""Ids that are numbers, and how long they may be."""
import pytest

from tests.functional.user import User

PER_POD = [("compute", "os-aggregates"), ("compute", "os-hypervisors"), ("compute", "os-services"),
           ("compute", "os-hosts"), ("volume", "os-services"), ("volume", "capabilities")]


@pytest.mark.parametrize("digits", ["9" * 5000, "9" * 400, "9" * 19, "9" * 18, "%D9%A1%D9%A1%D9%A1%D9%A1"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_number_of_any_length_is_refused_and_is_no_error_of_ours(cloud, gateway, digits, method):
    user, boss = User(gateway), User(gateway, "admin")
    with cloud.unchanged():
        for service, collection in PER_POD:
            for who in (user, boss):
                answer = getattr(who, service).call(method, f"/{collection}/{digits}", {} if method == "PUT" else None)
                assert 400 <= answer.status < 500, f"{service} {collection}: {answer.status} {answer.raw[:200]!r}"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_the_pods_own_aggregates_are_shown_to_administrators_alone(gateway, method):
    """Also by an answer that says why they cannot be changed."""
    boss, user = User(gateway, "admin"), User(gateway)
    shown = boss.compute.ok("GET", "/os-aggregates")["aggregates"][0]["id"]
    answer = user.compute.call(method, f"/os-aggregates/{shown}", {} if method in ("PUT", "POST") else None)
    assert answer.status == 403
    assert "Pod" not in answer.raw.decode()
