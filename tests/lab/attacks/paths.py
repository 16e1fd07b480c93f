"""Rows 4, 7, 7b, 9: one path in many spellings, and numbers of any length."""
from tests.functional.client import Answer
from tests.lab.attacks.scene import Scene

ROOTS = ("/#x", "//", "/%2f", "/v2.1#1", "/v2.1/#", "//v2.1", "/.", "/./", "/v2.1/..", "/%2e", "/v2.1%2f", "/\\",
         "/v2.1//", "/%00", "/v2.1/%2e%2e/")
SPELT = ("/v2.0/%6eetworks", "/v2.0//networks", "//v2.0/networks", "/v2.0/./networks", "/v2.0/x/../networks",
         "/v2%2e0/networks", "/%762.0/networks", "/v2.0/networks%2f", "/v2.0/networks;a=b", "/v2.0/networks#x",
         "/v2.0\\networks", "/v2.0/networks%3f", "/v2.0/%2e/networks", "/v2.0/networks%2ejson", "/v2.0/networks%20",
         "/v2.0/%256eetworks", "/v2.0/networks%00", "/v2.0/%EF%BD%8Eetworks", "http://10.250.201.25/v2.0/networks")
FOLDED = (("network", "/v2.0/quotas/../networks"), ("network", "/v2.0/quotas/%2e%2e/networks"),
          ("network", "/v2.0/quotas/x/../../networks"), ("network", "/v2.0/quotas/..%2fnetworks"),
          ("network", "/v2.0/quotas/..\\networks"), ("network", "/v2.0/quotas/..;/networks"),
          ("network", "/v2.0/quotas//../networks"), ("network", "/v2.0/quotas#/../networks"))


def roots(s: Scene) -> None:
    """Nobody asks for version documents in spellings that each go to all pods."""
    for service in ("compute", "volume", "network", "admin"):
        client = s.nobody.port_of(service)
        s.refused(*s.fire([(client, "GET", path) for path in (*ROOTS, f"/{'x' * 200_000}", f"/#{'x' * 200_000}")]))


def spelt(s: Scene) -> None:
    """B's quota is used up: no spelling of the same collection gets past what refuses the plain one."""
    mine = s.make(s.b.network, "networks", name="attacks-b", availability_zone_hints=["az1"])
    s.boss.network.ok("PUT", f"/quotas/{s.b.project}", {"quota": {"network": 1}})
    try:
        port = s.b.port_of("network")
        for target in ("/v2.0/networks", "/v2.0/networks/", "/v2.0/networks.json", *SPELT):
            body = {"network": {"name": "attacks-b", "availability_zone_hints": ["az2"]}}
            _refused_or_kept(s, port.call("POST", target, body))
    finally:
        s.boss.network.delete(f"/quotas/{s.b.project}")
    shown = f"/v2.0/networks/{mine['id']}"
    for target in (shown.upper(), shown.replace(mine["id"][0], f"%{ord(mine['id'][0]):02x}"), f"{shown}/.",
                   f"{shown}%2f", f"{shown}#", f"/v2.0/ports/../networks/{mine['id']}"):
        answer = port.call("DELETE", target)
        s.check(answer.status < 500, f"DELETE {target}: {answer.status}")
    whole = s.b.port_of("compute")
    for target, plain in (("/v2.1/%66lavors", "/v2.1/flavors"), ("/v2.1/os%2dkeypairs", "/v2.1/os-keypairs")):
        one, other = whole.call("GET", target), whole.call("GET", plain)
        s.check(one.status >= 400 or one.raw == other.raw, f"GET {target}: {one.raw[:200]!r} is not the plain list")
    for target in ("/v2.1/os%2dserver-groups", "/v2.1/os-server%2Dgroups", "/v2.1//os-server-groups"):
        name = f"tricircle:{s.things['sgroup'][3]}"
        answer = whole.call("POST", target, {"server_group": {"name": name, "policies": ["affinity"]}})
        _refused_or_kept(s, answer)


def _refused_or_kept(s: Scene, answer: Answer) -> None:
    s.refused(answer)
    if answer.status < 300:
        s.check(False, "  and so it made something")


def folded(s: Scene) -> None:
    """A path that is one collection for us and another one for a pod makes one thing in every pod."""
    body = {"network": {"name": "attacks-b"}}
    for service, target in FOLDED:
        answer = s.b.port_of(service).call("POST", target, body)
        s.refused(answer)
    group = {"server_group": {"name": "attacks-b", "policies": ["affinity"]}}
    for target in ("/v2.1/flavors/../os-server-groups", "/v2.1/flavors/%2e%2e/os-server-groups",
                   "/v2.1/os-keypairs/..;/os-server-groups"):
        s.refused(s.b.port_of("compute").call("POST", target, group))
    for target in ("../networks", "..%2fnetworks", "%2e%2e/networks"):
        s.refused(s.b.network.post(f"/{target}", body))


def numbers(s: Scene) -> None:
    """Ids of the pods' own things are numbers."""
    paths = [f"/{collection}/{digits.encode().decode('latin-1')}" for collection in ("os-hypervisors", "os-aggregates",
                                                                                     "os-services", "os-hosts")
             for digits in ("9" * 5000, "9" * 200, "-1", "1e9", "\u0661", "1_0")]
    s.refused(*s.fire([(s.b.compute, "GET", path) for path in paths]))
    boss = s.b.client(s.boss.compute.url)
    boss.token = s.boss.token   # an administrator gets further; an answer of 5xx is noted as all are
    s.fire([(boss, "GET", path) for path in paths])
    s.fire([(client, "GET", f"{path}?{query}")
            for client, path in ((s.b.compute, "/servers"), (s.b.volume, "/volumes"), (s.b.network, "/networks"))
            for query in ("limit=" + "9" * 5000, "limit=-1", "limit=\xc2\xb2", "marker=" + "9" * 5000)])


ATTACKS = {"4 version documents by spelling, without a token": roots,
           "7 one path, many spellings": spelt,
           "7b one request, a thing in every pod": folded,
           "9 numbers": numbers}
