"""Rows 3, 8, 11, 12, 14, 15: who asks, and whether that is found out before anything else."""
import secrets

import openstack
from tests.lab.attacks.scene import NEWER, Party, Scene, boot, outside


def owners(s: Scene) -> None:
    """B's bodies name A's project."""
    before = s.a.compute.get("/limits").raw, s.a.volume.get("/limits").raw
    many = [{"name": "attacks-b", "tenant_id": s.a.project}] * 300
    for key in ("project_id", "tenant_id"):
        theirs = {key: s.a.project}
        for client, path, body in (
                (s.b.compute, "/servers", boot(s, min_count=99_999, max_count=99_999, **theirs)),
                (s.b.network, "/networks", {"networks": [{**row, **theirs} for row in many]}),
                (s.b.network, "/networks", {"network": theirs}),
                (s.b.network, "/routers", {"router": theirs}),
                (s.b.network, "/security-groups", {"security_group": {"name": "attacks-b", **theirs}}),
                (s.b.network, "/security-groups", {"security_groups": [{"name": "attacks-b", **theirs}] * 99}),
                (s.b.network, "/subnetpools", {"subnetpool": {"name": "attacks-b", "prefixes": ["10.98.0.0/16"],
                                                              **theirs}}),
                (s.b.volume, "/volumes", {"volume": {"size": 99_999, "name": "attacks-b", **theirs}})):
            answer = client.post(path, body, headers=NEWER if client is s.b.compute else None)
            s.refused(answer)
            # Cinder takes no project from a body, and says what B has used.
            s.check(b"already used" not in answer.raw or client is s.b.volume, f"POST {path}: {answer.raw[:200]!r}")
    s.check(before == (s.a.compute.get("/limits").raw, s.a.volume.get("/limits").raw), "A's usage has changed")
    for client, path, body in (
            (s.b.network, f"/quotas/{s.a.project}", {"quota": {"network": 0}}),
            (s.b.compute, f"/os-quota-sets/{s.a.project}", {"quota_set": {"instances": 0}}),
            (s.b.volume, f"/os-quota-sets/{s.a.project}", {"quota_set": {"volumes": 0}})):
        s.refused(client.put(path, body))
        s.refused(client.delete(path))
        s.refused(client.get(path))
        s.refused(client.get(f"{path}/{'detail' if client is s.b.compute else 'details'}"))


def tokenless(s: Scene) -> None:
    """After somebody has sent X-Storage-Token, nobody passes without a token."""
    for party, client, path in ((s.boss, s.nobody.admin, "/pods"), (s.a, s.nobody.network, "/networks"),
                                (s.a, s.nobody.compute, "/servers"), (s.a, s.nobody.volume, "/volumes")):
        s.fire([(client, "GET", path, None, {"X-Storage-Token": party.token})] * 6)
        passed = sum(answer.status != 401 for answer in s.fire([(client, "GET", path)] * 10))
        s.check(not passed, f"GET {client.url}{path} without a token passed in {passed} of 10")
        s.said.clear()   # what A's own token was answered is A's
    calls = [(getattr(s.nobody, service), method, f"/{collection}/{id}", {member: {}} if method == "PUT" else None)
             for service, collection, member, id in s.things.values() for method in ("GET", "PUT", "DELETE")]
    for answer in s.fire(calls):
        s.check(answer.status == 401, f"{answer.what} without a token: {answer.status}")
    for headers in ({"X-Auth-Token": ""}, {"X-Auth-Token": "x" * 4000}, {"X-Auth-Token": f"{s.b.token}x"},
                    {"X-Service-Token": s.a.token}, {"X-Identity-Status": "Confirmed", "X-Roles": "admin",
                                                     "X-Project-Id": s.a.project, "X-User-Id": s.a.user}):
        answer = s.nobody.network.get("/networks", headers=headers)
        s.check(answer.status == 401, f"{list(headers)}: {answer.status}")


def disguised(s: Scene) -> None:
    """B sends headers that others set: identity, the pod, a method, a service's token."""
    ours = {"X-Identity-Status": "Confirmed", "X-Roles": "admin", "X-Role": "admin", "X-Project-Id": s.a.project,
            "X-Tenant-Id": s.a.project, "X-User-Id": s.a.user, "X-Is-Admin-Project": "True",
            "OpenStack-System-Scope": "all", "X_Roles": "admin", "X-Service-Roles": "admin,service"}
    s.refused(s.b.admin.get("/pods", headers=ours))
    s.refused(s.b.network.get(f"/networks/{s.things['net-az1'][3]}", headers=ours))
    s.refused(s.b.network.get("/networks", headers={"X-Tricircle-Pod": "Pod1"}))
    s.refused(s.b.network.get(f"/networks/{s.things['net-az1'][3]}", headers={"X-Service-Token": s.b.token}))
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        s.b.network.post("/networks?_method=DELETE", {"network": None},
                         headers={header: "DELETE"})
        s.b.network.call("GET", f"/ports/{s.things['port-az1'][3]}?_method=DELETE", headers={header: "DELETE"})
    group = s.keep(s.b.compute, "os-server-groups", s.b.compute.post("/os-server-groups", {"server_group": {
        "name": "attacks-b", "policies": ["affinity"]}}))
    for path, raw in (("", b"_method=DELETE"), ("?_method=DELETE", b"{}"), ("", b'{"x": "&_method=DELETE&"}')):
        s.b.compute.call("POST", f"/os-server-groups/{group['id']}{path}", raw=raw,
                         headers={"Content-Type": "application/x-www-form-urlencoded"})
    answer = s.b.compute.get(f"/os-server-groups/{group['id']}")
    s.check(answer.status == 200, f"a POST has deleted a server group: {answer.status}")
    s.fire([(getattr(s.b, service), method, f"/{collection}/{id}", {"name": "B"} if method == "PATCH" else None)
            for service, collection, _, id in s.things.values()
            for method in ("PATCH", "TRACE", "OPTIONS", "HEAD", "CONNECT", "PROPFIND")])


def queries(s: Scene) -> None:
    """Lists and shows with A's ids in the query, and as markers."""
    words = [f"{key}={s.a.project}&{all_}" for key in ("project_id", "tenant_id")
             for all_ in ("all_tenants=1&all_projects=True", "")]
    calls = []
    for service, collection, _, id in s.things.values():
        for path in (f"/{collection}", f"/{collection}/detail") if service != "network" else (f"/{collection}",):
            calls += [(getattr(s.b, service), "GET", f"{path}?{query}") for query in (
                *words, f"marker={id}&limit=1", f"id={id}", f"marker={id.upper()}&page_reverse=true&limit=1",
                f"sort_key=id&marker={id}", "deleted=True&changes-since=2000-01-01")]
    s.fire(calls)   # what is told, and what is 5xx, is noted of all


def interfaces(s: Scene) -> None:
    """B puts a subnet of theirs, which overlaps with A's, onto A's router; and drops A's interfaces."""
    net = s.make(s.b.network, "networks", name="attacks-b", availability_zone_hints=["az2"])
    subnet = s.make(s.b.network, "subnets", network_id=net["id"], ip_version=4, cidr="10.213.1.128/25")
    router = s.things["router"][3]
    for action, body in (("add_router_interface", {"subnet_id": subnet["id"]}),
                         ("remove_router_interface", {"subnet_id": s.things["subnet-az1"][3]}),
                         ("add_router_interface", {"subnet_id": s.things["subnet-az2"][3]}),
                         ("add_extraroutes", {"router": {"routes": [{"destination": "1.2.3.0/24",
                                                                     "nexthop": "10.213.1.7"}]}})):
        answer = s.b.network.put(f"/routers/{router}/{action}", body)
        s.check(answer.status == 404, f"{action}: {answer.status} {answer.raw[:200]!r}")
    s.refused(s.b.network.put(f"/routers/{router}", {"router": {"external_gateway_info": {"network_id": net["id"]}}}))
    jobs = s.boss.admin.get("/jobs").body["jobs"]
    s.check(not any(job.get("project_id") == s.b.project and router in str(job) for job in jobs),
            "a job for A's router under B's project")


def scopes(s: Scene) -> None:
    """An administrator of something that is not the cloud is none at the admin API."""
    identity, password = s.cloud.identity, secrets.token_hex(16)
    domain = identity.create_domain(name=f"attacks-{secrets.token_hex(4)}")
    try:
        user = identity.create_user(name="attacks-boss", domain_id=domain.id, password=password)
        role = identity.find_role("admin")
        s.cloud.identity.assign_domain_role_to_user(domain, user, role)
        answer = _admin_of(s, domain, password)
        for method, path, body in (("GET", "/pods", None), ("GET", "/jobs", None), ("GET", "/bindings", None),
                                   ("POST", "/pods", {"pod": {"pod_name": "attacks", "az_name": "az9"}})):
            told = answer.admin.call(method, path, body)
            s.check(told.status in (401, 403), f"{method} {path}, admin of a domain: {told.status}")
    finally:
        identity.update_domain(domain, is_enabled=False)
        identity.delete_domain(domain)
    for path in ("/pods", "/jobs", "/bindings", "/quotas", "/metrics"):
        s.refused(s.b.admin.get(path))
        s.refused(s.b.admin.post(path, {"pod": {"pod_name": "attacks", "az_name": "az9"}}))


def _admin_of(s: Scene, domain, password: str) -> Party:
    login = {"auth_url": outside(), "username": "attacks-boss", "password": password, "domain_id": domain.id,
             "user_domain_id": domain.id}
    cloud = openstack.connect(load_envvars=False, load_yaml_config=False, region_name="RegionOne", auth=login)
    party = Party.__new__(Party)
    party.__dict__.update(s.b.__dict__, token=cloud.auth_token)
    party.admin = party.client(s.b.admin.url)
    return party


def access_rules(s: Scene) -> None:
    """An application credential that may list networks, and nothing else."""
    keystone, headers = s.a.client(outside()), {"X-Auth-Token": s.a.token}
    made = keystone.ok("POST", f"/users/{s.a.user}/application_credentials", {"application_credential": {
        "name": "attacks", "access_rules": [{"service": "network", "method": "GET", "path": "/v2.0/networks"}]}},
        headers=headers)["application_credential"]
    try:
        login = {"auth": {"identity": {"methods": ["application_credential"], "application_credential": {
            "id": made["id"], "secret": made["secret"]}}}}
        token = {"X-Auth-Token": keystone.post("/auth/tokens", login).headers["X-Subject-Token"]}
        for client, method, path, status in (
                (s.a.network, "GET", "/networks", 200), (s.a.network, "GET", "/ports", 401),
                (s.a.network, "POST", "/networks", 401), (s.a.compute, "GET", "/servers", 401),
                (s.a.network, "GET", f"/networks/{s.things['net-az1'][3]}", 401),
                (s.a.volume, "GET", "/volumes", 401), (s.a.network, "GET", "/networks", 200)):
            answer = client.call(method, path, headers=token)
            s.check(answer.status == status, f"{method} {path}: {answer.status} in the place of {status}")
    finally:
        keystone.delete(f"/users/{s.a.user}/application_credentials/{made['id']}", headers=headers)
        for rule in keystone.get(f"/users/{s.a.user}/access_rules", headers=headers).body["access_rules"]:
            keystone.delete(f"/users/{s.a.user}/access_rules/{rule['id']}", headers=headers)


def before_all(s: Scene) -> None:
    """What only an administrator makes is refused before anything of it is read, marked or made."""
    net = s.things["net-az1"][3]
    for client, method, path, body in (
            (s.b.compute, "POST", "/flavors", {"flavor": {"name": "attacks-b", "id": "attacks-b", "ram": 1, "vcpus": 1,
                                                          "disk": 1}}),
            (s.b.compute, "POST", "/flavors", {"flavor": {"name": "attacks", "id": "attacks", "ram": 1, "vcpus": 1,
                                                          "disk": 1}}),
            (s.b.compute, "DELETE", "/flavors/attacks", None),
            (s.b.compute, "POST", "/flavors/attacks/action", {"addTenantAccess": {"tenant": s.b.project}}),
            (s.b.compute, "POST", "/flavors/attacks/os-extra_specs", {"extra_specs": {"hw:x": "y"}}),
            (s.b.volume, "POST", "/types", {"volume_type": {"name": "attacks-b"}}),
            (s.b.volume, "POST", "/qos-specs", {"qos_specs": {"name": "attacks-b"}}),
            (s.b.network, "POST", "/qos/policies", {"policy": {"name": "attacks-b"}}),
            (s.b.network, "POST", "/subnets", {"subnet": {"network_id": net, "ip_version": 4,
                                                          "cidr": "10.213.2.0/25"}}),
            (s.b.network, "POST", "/networks", {"network": {"name": "attacks-b", "router:external": True,
                                                            "availability_zone_hints": ["Pod2"]}}),
            (s.b.network, "POST", "/networks", {"network": {"name": "attacks-b", "shared": True}}),
            (s.b.network, "POST", "/networks", {"network": {"name": "attacks-b", "provider:network_type": "vlan",
                                                            "provider:physical_network": "bridge",
                                                            "provider:segmentation_id": 2001}})):
        s.refused(client.call(method, path, body))


ATTACKS = {"3 A's project in B's bodies": owners,
           "8 tokenless, after X-Storage-Token": tokenless,
           "8 headers that others set": disguised,
           "2 queries and markers": queries,
           "11 A's router": interfaces,
           "12 scopes": scopes,
           "14 access rules": access_rules,
           "15 administrators' things": before_all}
