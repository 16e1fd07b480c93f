"""Methods that mean one thing, sent to a whole collection, and the other way round."""
import pytest

from tests.functional.user import User

COLLECTIONS = {
    "compute": ("servers", "flavors", "os-keypairs", "os-server-groups", "os-aggregates", "os-quota-sets"),
    "volume": ("volumes", "snapshots", "types", "groups", "os-quota-sets"),
    "network": ("networks", "subnets", "ports", "routers", "security-groups", "security-group-rules", "floatingips",
                "subnetpools", "address-scopes", "qos/policies", "rbac-policies", "quotas")}


@pytest.mark.parametrize("service", COLLECTIONS)
def test_a_method_for_one_thing_is_refused_of_a_whole_collection(cloud, gateway, service):
    user = User(gateway)
    user.network.get("/security-groups")   # so that the default group is there
    with cloud.unchanged():
        for collection in COLLECTIONS[service]:
            for method in ("DELETE", "PUT", "PATCH"):
                member = collection.rsplit("/")[-1].replace("-", "_").removesuffix("s")
                body = None if method == "DELETE" else {member: {"is_default": True, "name": "x"}}
                answer = getattr(user, service).call(method, f"/{collection}", body)
                refused = 400 <= answer.status < 500 or answer.status == 501   # Neutron's own
                assert refused, f"{method} {collection}: {answer.status} {answer.raw[:200]!r}"
