"""Prefixes of subnet pools: what Neutron would choose, and no address twice."""
import contextlib
from ipaddress import ip_network

import netaddr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle import prefixes
from tricircle.errors import ApiError, BadRequest, Conflict
from tricircle.routing.pooling import apart_from_all, choose
from tricircle.store import Database
from tricircle.store import prefixes as rows
from tricircle.store.db import now
from tricircle.store.prefixes import Look

BITS = 8   # of a small world, 10.0.0.0/24


@st.composite
def nets(draw, most=8):
    """Networks within the small world."""
    found = []
    for _ in range(draw(st.integers(0, most))):
        length = draw(st.integers(32 - BITS, 32))
        found.append(ip_network((0x0A000000 + draw(st.integers(0, (1 << BITS) - 1)), length), strict=False))
    return found


def addresses(found):
    """All of them."""
    return {int(net.network_address) + number for net in found for number in range(net.num_addresses)}


def pool(found, **fields):
    """As Neutron shows one."""
    return {"id": "p", "prefixes": [str(net) for net in found], "min_prefixlen": "8", "max_prefixlen": "32",
            "default_prefixlen": "24", "default_quota": None, "ip_version": 4, "project_id": "mine", **fields}


@given(nets(), nets())
def test_what_is_left_is_what_netaddr_says(has, taken):
    left = prefixes.without(has, taken)
    assert addresses(left) == addresses(has) - addresses(taken)
    assert [str(net) for net in left] == [str(net) for net in (
        netaddr.IPSet(map(str, has)) - netaddr.IPSet(map(str, taken))).iter_cidrs()]


@given(nets(), nets(), st.integers(24, 32))
def test_the_first_fit_is_neutrons(has, taken, length):
    free = (netaddr.IPSet(map(str, has)) - netaddr.IPSet(map(str, taken))).iter_cidrs()
    theirs = next((next(net.subnet(length)) for net in sorted(free, key=lambda net: net.prefixlen, reverse=True)
                   if length >= net.prefixlen), None)
    assert str(prefixes.first_fit(prefixes.without(has, taken), length)) == str(theirs)


@given(nets(), nets())
def test_overlap(one, other):
    assert prefixes.overlap(one, other) == bool(addresses(one) & addresses(other))


WISHES = st.one_of(st.integers(24, 33), nets(1).filter(bool).map(lambda found: found[0]))


@given(nets(4), st.lists(WISHES, max_size=20), st.sampled_from([None, 0, 16, 64]))
def test_nothing_is_handed_out_twice(has, wishes, quota):
    taken = []
    limits = pool(has, min_prefixlen=26, max_prefixlen=31, default_quota=quota)
    for wish in wishes:
        with contextlib.suppress(ApiError):
            cidr, = choose(limits, wish)([{"cidr": each, "project_id": "mine"} for each in taken])
            taken.append(cidr)
            assert ip_network(cidr) == wish or ip_network(cidr).prefixlen == wish
    found = [ip_network(each) for each in taken]
    assert sum(net.num_addresses for net in found) == len(addresses(found))
    assert addresses(found) <= addresses(has)
    assert all(26 <= net.prefixlen <= 31 for net in found)
    assert not quota or sum(net.num_addresses for net in found) <= quota


def test_the_refusals_are_neutrons():
    p = pool([ip_network("10.0.0.0/24")], min_prefixlen=24, max_prefixlen=28, default_quota=256)
    taken = [{"cidr": "10.0.0.0/25", "project_id": "mine"}]
    for wish, have, kind, words in (
            (23, [], "MinPrefixSubnetAllocationError",
             "Unable to allocate subnet with prefix length 23, minimum allowed prefix is 24."),
            (29, [], "MaxPrefixSubnetAllocationError",
             "Unable to allocate subnet with prefix length 29, maximum allowed prefix is 28."),
            (24, taken, "SubnetPoolQuotaExceeded", "Per-tenant subnet pool prefix quota exceeded."),
            (24, [{**taken[0], "project_id": "other"}], "SubnetAllocationError",
             "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /24."),
            (ip_network("10.0.0.64/26"), taken, "SubnetAllocationError",
             "Failed to allocate subnet: Cannot allocate requested subnet from the available set of prefixes.")):
        with pytest.raises(ApiError) as refused:
            choose(p, wish)(have)
        assert (refused.value.kind, refused.value.message) == (kind, words)


def test_apart_from_all():
    decide = apart_from_all([ip_network("10.0.0.0/24")], lambda net: BadRequest(f"no {net}"))
    assert decide([{"cidr": "10.0.1.0/24"}, {"cidr": "fd00::/64"}]) == ["10.0.0.0/24"]
    with pytest.raises(BadRequest):
        decide([{"cidr": "10.0.0.128/25"}])


# The rows

@pytest.fixture
def db(tmp_path):
    """A store with two pods."""
    made = Database(tmp_path / "db")
    made.upgrade()
    for pod in ("a", "b"):
        made.connection().execute("INSERT INTO pods (pod_id, pod_name, az_name, pod_az_name, dc_name, created_at, "
                                  "updated_at) VALUES (?, ?, 'az', '', '', 0, 0)", (pod, pod))
    return made


def look(**lists):
    """A look that begins now."""
    return Look(now(), {pod: dict.fromkeys(shown, "mine") for pod, shown in lists.items()})


def seen(db, what, pod="a", wanted=()):
    """CIDRs that a decision sees, by pod."""
    found = {}

    def decide(all_rows):
        for row in all_rows:
            found.setdefault(row["pod_id"], set()).add(row["cidr"])
        return list(wanted)
    rows.take(db, "p", pod, "mine", 30, what, decide)
    return found


def test_a_row_lives_until_its_pod_shows_that_it_is_gone(db):
    seen(db, look(), wanted=["10.0.0.0/24"])
    assert seen(db, look(a=[])) == {"a": {"10.0.0.0/24"}}              # in flight
    before = look(a=[])
    rows.settle(db, "p", "a", ["10.0.0.0/24"])
    assert seen(db, before) == {"a": {"10.0.0.0/24"}}                  # this look may have come too early
    assert seen(db, look(a=["10.0.0.0/24"])) == {"a": {"10.0.0.0/24"}}
    assert seen(db, look(b=[])) == {"a": {"10.0.0.0/24"}}              # its pod has not answered
    assert seen(db, look(a=[])) == {}


def test_what_a_pod_shows_is_remembered(db):
    assert seen(db, look(a=["10.0.0.0/24"], b=["10.0.1.0/24"])) == {"a": {"10.0.0.0/24"}, "b": {"10.0.1.0/24"}}
    assert seen(db, look()) == {"a": {"10.0.0.0/24"}, "b": {"10.0.1.0/24"}}
    rows.forget(db, "p")
    assert seen(db, look()) == {}


def test_a_refusal_changes_nothing(db):
    def decide(_):
        raise Conflict("no")
    with pytest.raises(Conflict):
        rows.take(db, "p", "a", "mine", 30, look(a=["10.0.0.0/24"]), decide)
    assert seen(db, look()) == {}


def test_a_claim_is_released(db):
    seen(db, look(), wanted=["10.0.0.0/24", "10.0.1.0/24"])
    rows.release(db, "p", "a", ["10.0.0.0/24"])
    assert seen(db, look(a=[])) == {"a": {"10.0.1.0/24"}}
