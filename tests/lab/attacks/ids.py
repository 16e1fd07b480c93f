"""Rows 1, 2, 10: marks that a tenant writes, ids that are not theirs, and what is free text."""
import uuid

from tests.lab.attacks.scene import NEWER, Scene, boot

# Where an id of another kind may be asked for.
ELSEWHERE = {
    "compute": ("os-hypervisors", "os-aggregates", "os-services", "os-hosts", "os-migrations", "servers", "flavors",
                "os-server-groups", "os-assisted-volume-snapshots", "os-simple-tenant-usage", "os-tenant-networks"),
    "volume": ("volumes", "snapshots", "backups", "types", "os-hosts", "os-services", "capabilities", "attachments",
               "groups", "messages", "os-volume-transfer"),
    "network": ("ports", "networks", "routers", "security-groups", "agents", "flavors", "rbac-policies", "subnetpools",
                "metering/metering-labels", "qos/policies", "log/logs", "security-group-rules", "segments")}

# Where an ordinary user is refused, whatever the id.
REFUSED = (("compute", "os-hypervisors"), ("compute", "os-aggregates"), ("compute", "os-services"),
           ("compute", "os-hosts"), ("volume", "os-services"), ("volume", "types"))


def marked_group(s: Scene) -> None:
    """B's group at Pod1 says that it is A's group, A's port, A's network, an image; then B uses it at RegionOne."""
    before = s.a.compute.post("/servers", boot(s, availability_zone="az1"), headers=NEWER)
    straight = s.b.pods["Pod1"]["network"]
    for of in (*(s.things[name][3] for name in ("group", "port-az1", "port-az2", "net-az1", "router")), s.image):
        name = f"attacks-{uuid.uuid4().hex[:8]}"
        group = s.make(straight, "security-groups", name=name, description=f"tricircle:{of}")
        for named in (name, group["id"]):
            s.b.compute.post("/servers", boot(s, security_groups=[{"name": named}], availability_zone="az1"),
                             headers=NEWER)
        s.b.network.put(f"/security-groups/{group['id']}", {"security_group": {"name": name}})
        s.b.network.get("/security-groups")
        rules = straight.get(f"/security-group-rules?security_group_id={group['id']}").body["security_group_rules"]
        s.check(not any(rule["port_range_min"] == 4711 for rule in rules), "A's rules are in B's group, where B reads")
    after = s.a.compute.post("/servers", boot(s, availability_zone="az1"), headers=NEWER)
    s.check(before.raw == after.raw, f"A's boot in az1: {before.raw[:150]!r} before, {after.raw[:150]!r} after")


def marked_things(s: Scene) -> None:
    """The same with every other kind that carries a mark, made straight at Pod1 and then shown, changed, named."""
    straight, marks = s.b.pods["Pod1"], {name: f"tricircle:{thing[3]}" for name, thing in s.things.items()}
    net = s.make(straight["network"], "networks", name="attacks-b", description=marks["net-az2"])
    s.make(straight["network"], "ports", network_id=net["id"], description=marks["port-az2"])
    router = s.make(straight["network"], "routers", name="attacks-b", description=marks["router"])
    pool = s.make(straight["network"], "subnetpools", name="attacks-b", prefixes=["10.99.0.0/16"],
                  description=marks["subnet-az2"])
    s.make(straight["network"], "address-scopes", name=marks["net-az2"], ip_version=4)
    s.keep(straight["compute"], "os-server-groups", straight["compute"].post(
        "/os-server-groups", {"server_group": {"name": marks["sgroup"], "policies": ["affinity"]}}))
    for collection, id in (("networks", net["id"]), ("routers", router["id"]), ("subnetpools", pool["id"])):
        s.b.network.get(f"/{collection}")
        s.b.network.get(f"/{collection}/{id}")
        s.b.network.put(f"/{collection}/{id}", {collection[:-1]: {"name": "attacks-b"}})
    s.b.compute.get("/os-server-groups")
    mine = s.make(s.b.network, "networks", name="attacks-b2", availability_zone_hints=["az2"])
    answer = s.b.network.post("/subnets", {"subnet": {"network_id": mine["id"], "subnetpool_id": pool["id"],
                                                      "ip_version": 4}})
    s.check(answer.status >= 400 or answer["subnet"]["cidr"].startswith("10.99."), "B's marked pool is another one")


def other_ids(s: Scene) -> None:
    """B asks for A's ids, also for some that the gateway has not seen yet, in every collection, in both spellings."""
    fresh = []
    for pod, zone in (("Pod1", "az1"), ("Pod2", "az2")):
        body = {"ports": [{"network_id": s.things[f"net-{zone}"][3], "security_groups": []}] * len(REFUSED)}
        fresh += [(pod, row["id"]) for row in s.a.pods[pod]["network"].ok("POST", "/ports", body)["ports"]]
    s.made += [(s.a.pods[pod]["network"], f"/ports/{id}") for pod, id in fresh]
    s.secret += [id for _, id in fresh]
    # A pod that refuses to show it may be taken for the one that has it; each id is asked for once, and then by A.
    ids = iter(id for _, id in sorted(fresh, key=lambda each: each[1]))
    s.refused(*s.fire([(getattr(s.b, service), "GET", f"/{collection}/{next(ids)}")
                       for service, collection in REFUSED for _ in range(2)]))
    for answer in [answer for method, body in (("GET", None), ("PUT", {"port": {"name": "A's"}}))
                   for answer in s.fire([(s.a.network, method, f"/ports/{id}", body) for _, id in fresh])]:
        s.check(answer.status == 200, f"A's call for a port that B asked for before: {answer.status}")
    calls = [(getattr(s.b, service), "GET", f"/{collection}/{id}") for service, collections in ELSEWHERE.items()
             for collection in collections for id in (fresh[0][1], fresh[-1][1], uuid.uuid4())]
    for service, collection, member, id in s.things.values():
        client = getattr(s.b, service)
        for path in (f"/{collection}/{id}", f"/{collection}/{id.upper()}"):
            calls += [(client, "GET", path), (client, "PUT", path, {member: {"name": "B"}}), (client, "DELETE", path)]
    s.refused(*s.fire(calls))
    for answer in s.fire([(s.a.network, "GET", f"/ports/{id}") for _, id in fresh]):
        s.check(answer.status == 200, f"A's call for a port that B asked for in any collection: {answer.status}")


def named_in_bodies(s: Scene) -> None:
    """B's bodies name A's things."""
    id = {name: thing[3] for name, thing in s.things.items()}
    net = s.make(s.b.network, "networks", name="attacks-b", availability_zone_hints=["az1"])
    router = s.make(s.b.network, "routers", name="attacks-b")
    calls = [("network", "POST", "/ports", {"port": {"network_id": id[net_]}}) for net_ in ("net-az1", "net-az2")]
    calls += [
        ("network", "POST", "/ports", {"port": {"network_id": net["id"], "security_groups": [id["group"]]}}),
        ("network", "POST", "/subnets", {"subnet": {"network_id": id["net-az1"], "ip_version": 4,
                                                    "cidr": "10.213.1.0/24"}}),
        ("network", "POST", "/security-group-rules", {"security_group_rule": {
            "security_group_id": id["group"], "direction": "ingress"}}),
        ("network", "POST", "/rbac-policies", {"rbac_policy": {
            "object_type": "network", "object_id": id["net-az1"], "action": "access_as_shared",
            "target_tenant": s.b.project}}),
        ("network", "POST", "/floatingips", {"floatingip": {"floating_network_id": id["net-az2"],
                                                            "port_id": id["port-az1"]}}),
        ("network", "PUT", f"/routers/{router['id']}/add_router_interface", {"subnet_id": id["subnet-az1"]}),
        ("network", "PUT", f"/routers/{router['id']}/add_router_interface", {"port_id": id["port-az2"]}),
        ("network", "PUT", f"/routers/{router['id']}", {"router": {"external_gateway_info": {
            "network_id": id["net-az2"]}}}),
        ("compute", "POST", "/servers", boot(s, networks=[{"uuid": id["net-az1"]}])),
        ("compute", "POST", "/servers", boot(s, networks=[{"port": id["port-az2"]}])),
        ("compute", "POST", "/servers", {**boot(s), "os:scheduler_hints": {"group": id["sgroup"]}}),
        ("compute", "POST", "/servers", boot(s, imageRef="", block_device_mapping_v2=[{
            "uuid": id["volume-az1"], "source_type": "volume", "destination_type": "volume", "boot_index": 0}])),
        ("volume", "POST", "/volumes", {"volume": {"size": 1, "source_volid": id["volume-az1"]}}),
        ("volume", "POST", "/snapshots", {"snapshot": {"volume_id": id["volume-az2"], "force": True}}),
        ("volume", "POST", "/os-volume-transfer", {"transfer": {"volume_id": id["volume-az1"]}}),
        ("volume", "POST", f"/volumes/{id['volume-az1']}/action", {"os-extend": {"new_size": 2}})]
    for tagged in ("net-az1", "port-az2", "router", "group"):
        _, collection, _, thing = s.things[tagged]
        calls.append(("network", "PUT", f"/{collection}/{thing}/tags/attacks-b", None))
    s.refused(*s.fire([(getattr(s.b, service), method, path, body, NEWER if service == "compute" else None)
                       for service, method, path, body in calls]))


def free_text(s: Scene) -> None:
    """What stands in metadata, names and descriptions steers nothing and comes out as it went in."""
    group = s.make(s.b.network, "security-groups", name="attacks-b")
    net = s.make(s.b.network, "networks", name="attacks-b", availability_zone_hints=["az2"])
    port = s.make(s.b.network, "ports", network_id=net["id"], security_groups=[group["id"]])
    other = s.make(s.b.network, "networks", name="attacks-b", availability_zone_hints=["az1"])
    s.make(s.b.network, "ports", network_id=other["id"], security_groups=[group["id"]])   # a replica in Pod1
    plain = s.b.compute.post("/servers", boot(s, availability_zone="az1"), headers=NEWER)
    for words in ({"availability_zone": "az2"}, {"availability_zone": "nowhere"}, {"network_id": net["id"]},
                  {"port_id": str(uuid.uuid4())}, {"security_group_id": group["id"]}, {"flavorRef": "none-such"},
                  {"key_name": "none-such"}, {"volume_type": "none-such"}, {"project_id": s.a.project}):
        answer = s.b.compute.post("/servers", boot(s, availability_zone="az1", metadata=words), headers=NEWER)
        s.check((answer.status, answer.raw) == (plain.status, plain.raw), f"metadata {words}: {answer.status} "
                f"{answer.raw[:120]!r} in the place of {plain.status} {plain.raw[:120]!r}")
    words = {"network_id": net["id"], "port": port["id"], "group": group["id"], "availability_zone": "az2"}
    volume = s.keep(s.b.volume, "volumes", s.b.volume.post("/volumes", {"volume": {
        "size": 1, "name": group["id"], "availability_zone": "az1", "metadata": words}}))
    there = s.b.pods["Pod1"]["volume"].get(f"/volumes/{volume['id']}")
    s.check(there.status == 200 and there["volume"]["metadata"] == words and there["volume"]["name"] == group["id"],
            f"a volume's metadata in Pod1: {there.raw[-400:]!r}")


ATTACKS = {"1 marks: B's group says that it is A's": marked_group,
           "1 marks: every kind that carries one": marked_things,
           "2 A's ids in every collection": other_ids,
           "2 A's things named in B's bodies": named_in_bodies,
           "10 free text is free": free_text}
