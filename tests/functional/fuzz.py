"""Requests that nobody means well with, drawn by chance from a grammar; the same ones for the same seed."""
import itertools
import json
import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.functional.gateway import ROOTS

COLLECTIONS = {
    "admin": ("pods", "bindings", "jobs", "routings", "quotas", "bridges", "drift", ""),
    "compute": ("servers", "flavors", "os-keypairs", "os-server-groups", "os-hypervisors", "os-aggregates", "os-hosts",
                "os-services", "os-quota-sets", "os-availability-zone", "os-simple-tenant-usage", "limits", "images",
                "os-migrations", "os-floating-ips", "os-security-groups", "extensions", "os-volumes_boot", "none-such"),
    "volume": ("volumes", "snapshots", "backups", "types", "groups", "group_types", "qos-specs", "os-quota-sets",
               "os-services", "attachments", "messages", "limits", "scheduler-stats", "capabilities", "none-such",
               "os-volume-transfer"),
    "network": ("networks", "subnets", "ports", "routers", "security-groups", "security-group-rules", "floatingips",
                "subnetpools", "address-scopes", "rbac-policies", "quotas", "qos/policies", "agents", "extensions",
                "availability_zones", "network-ip-availabilities", "none-such")}
RESTS = ("", "", "", "", "/action", "/detail", "/metadata", "/tags/x", "/tags", "/os-interface", "/ips", "/details",
         "/add_router_interface", "/remove_router_interface", "/statistics", "/summary", "/default", "/bindings",
         "/os-volume_attachments", "/os-extra_specs", "/%2e%2e", "/..", "/../servers", "/../networks")
# Spellings of the same path, or of one that looks like it.
SPELLINGS = (
    lambda path, chance: _coded(path, chance, "%{:02x}"), lambda path, chance: _coded(path, chance, "%25{:02X}"),
    lambda path, chance: _put(path, chance, "/"), lambda path, chance: _put(path, chance, "./"),
    lambda path, chance: _put(path, chance, "x/../"), lambda path, chance: _put(path, chance, "%2e%2e/"),
    lambda path, chance: path.replace("/", "%2f", chance.randint(1, 3)), lambda path, _: path.replace("/", "\\"),
    lambda path, _: f"{path}/", lambda path, _: f"{path}//", lambda path, _: f"{path}.json",
    lambda path, _: f"{path}#fragment", lambda path, _: f"{path}%23", lambda path, _: f"{path}%00",
    lambda path, _: f"{path};v=1", lambda path, _: f"{path}%3fall_tenants=1",
    lambda path, _: path.encode("latin-1").upper().decode("latin-1"),
    lambda path, _: f"http://127.0.0.1:1{path}", lambda path, _: f"//evil{path}", lambda path, _: path.lstrip("/"),
    lambda path, _: f"{path}/{'x' * 9000}", lambda path, _: f"{path}/\xc3\xa9\xff", lambda path, _: f"{path}%zz%",
    lambda path, _: f"{path}/{'9' * 5000}", lambda path, _: path.replace("/v2", "/V2", 1), lambda *_: "*",
    lambda path, _: path.replace("-", "%2D").replace("_", "%5F"), lambda path, _: path.replace("s", "\xc5\xbf", 1))
METHODS = ("GET",) * 10 + ("POST",) * 8 + ("PUT",) * 5 + ("DELETE",) * 4 + (
    "HEAD", "PATCH", "OPTIONS", "TRACE", "BREW", "get", "CONNECT", "PROPFIND")
HEADERS = {
    "X-Tricircle-Pod": ("Pod1", "RegionOne", "mars", "\xff"), "X-Roles": ("admin",), "X-Project-Id": ("{victim}",),
    "X-Identity-Status": ("Confirmed",), "X-Service-Token": ("{token}", "x"), "X-Storage-Token": ("{token}", ""),
    "OpenStack-API-Version": ("compute 2.1", "compute 2.90", "volume 3.59", "compute latest", "compute 9.9", "x" * 500,
                              "compute 2." + "9" * 5000, "compute \xb2.1"),
    "X-OpenStack-Nova-API-Version": ("2.37", "latest", "-1"), "Accept": ("*/*", "text/html", "application/xml", ""),
    "Connection": ("close", "X-Auth-Token", "keep-alive, Content-Length", "Upgrade"), "Upgrade": ("websocket", "h2c"),
    "Expect": ("100-continue",), "Cookie": ("a=b; " * 100,), "X-HTTP-Method-Override": ("DELETE", "PUT"),
    "If-Match": ("revision_number=1", "*", "x"), "Range": ("bytes=0-1",), "Forwarded": ("for=127.0.0.1;host=evil",),
    "X-Forwarded-Host": ("evil",), "X-Forwarded-Prefix": ("/evil", "//"), "X-Forwarded-Proto": ("https",),
    "Host": ("evil", "", "evil:99999", "[::1]", "a b"), "X-Openstack-Request-Id": ("{request}", "req-x", "\xe9" * 300),
    "Content-Encoding": ("gzip",), "X-Long": ("x" * 8000,), "X_Roles": ("admin",), "Transfer-Encoding": ("identity",),
    "Content-Type": ("application/json", "text/plain", "application/octet-stream", "application/xml", "JSON", "x" * 300,
                     "application/json; charset=utf-16", "multipart/form-data; boundary=x")}
QUERIES = ("limit={number}", "marker={id}", "all_tenants=1", "all_tenants=%00", "project_id={victim}", "id={id}",
           "tenant_id={victim}", "sort_key=id", "sort_dir=up", "sort_key=%ff", "fields=id", "name=%ff%fe", "a=%zz",
           "page_reverse=True", "offset={number}", "changes-since=x", "limit=1", "limit=1&limit=2", "x=" + "y" * 8000,
           "is_public=None", "device_id={id}", "network_id={id}", "sort=name:asc,id", "reservation_id={id}", "id=")
FIELDS = ("name", "id", "description", "project_id", "tenant_id", "network_id", "subnet_id", "port_id", "router_id",
          "security_groups", "security_group_id", "availability_zone", "availability_zone_hints", "networks",
          "imageRef", "flavorRef", "key_name", "metadata", "min_count", "max_count", "size", "source_volid",
          "snapshot_id", "volume_id", "volume_type", "cidr", "ip_version", "fixed_ips", "device_id", "device_owner",
          "host", "object_id", "object_type", "action", "target_tenant", "external_gateway_info", "routes",
          "prefixes", "subnetpool_id", "policies", "quota", "shared", "router:external", "block_device_mapping_v2",
          "remote_group_id", "direction", "uuid", "port", "group", "os:scheduler_hints", "same_host",
          "admin_state_up", "force", "provider:network_type", "binding:host_id")
ACTIONS = ("reboot", "resize", "os-extend", "addSecurityGroup", "os-migrateLive", "createImage", "addTenantAccess",
           "os-attach", "os-resetState", "rebuild", "createBackup", "os-retype", "addFloatingIp")
WORDS = ("", " ", "az1", "az2", "Pod1", "mars", "default", "\u0000", "' OR 1=1 --", "../../etc/passwd", "A" * 3000,
         "\u202e", "10.0.0.0/24", "255.255.255.255/99", "tricircle:{id}", "tricircle:", "az1:node1", "{{7*7}}",
         "\ufb01", "none", "auto")

# Bodies as they should be, less for whose ids are in them: {what a path ends in: body}.
SOUND = {
    "servers": {"server": {"name": "x", "imageRef": "{id}", "flavorRef": "tiny", "networks": [{"uuid": "{id}"}],
                           "security_groups": [{"name": "{id}"}], "availability_zone": "az1"}},
    "networks": {"network": {"name": "x", "availability_zone_hints": ["az2"]}},
    "subnets": {"subnet": {"network_id": "{id}", "ip_version": 4, "cidr": "10.9.9.0/24"}},
    "ports": {"port": {"network_id": "{id}", "security_groups": ["{id}"], "fixed_ips": [{"subnet_id": "{id}"}]}},
    "routers": {"router": {"name": "x", "external_gateway_info": {"network_id": "{id}"}}},
    "security-groups": {"security_group": {"name": "x", "description": "{id}"}},
    "security-group-rules": {"security_group_rule": {"security_group_id": "{id}", "direction": "ingress",
                                                     "remote_group_id": "{id}"}},
    "floatingips": {"floatingip": {"floating_network_id": "{id}", "port_id": "{id}"}},
    "subnetpools": {"subnetpool": {"name": "x", "prefixes": ["10.8.0.0/16"], "address_scope_id": "{id}"}},
    "rbac-policies": {"rbac_policy": {"object_type": "network", "object_id": "{id}", "action": "access_as_shared",
                                      "target_tenant": "{victim}"}},
    "quotas": {"quota": {"network": 1}}, "os-quota-sets": {"quota_set": {"instances": 1, "volumes": 1}},
    "os-server-groups": {"server_group": {"name": "x", "policies": ["affinity"]}},
    "volumes": {"volume": {"size": 1, "source_volid": "{id}", "availability_zone": "az2"}},
    "snapshots": {"snapshot": {"volume_id": "{id}", "force": True}},
    "backups": {"backup": {"volume_id": "{id}"}}, "types": {"volume_type": {"name": "x"}},
    "flavors": {"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1, "id": "{id}"}},
    "add_router_interface": {"subnet_id": "{id}"}, "remove_router_interface": {"port_id": "{id}"},
    "os-interface": {"interfaceAttachment": {"port_id": "{id}"}},
    "os-volume_attachments": {"volumeAttachment": {"volumeId": "{id}"}},
    "action": {"addSecurityGroup": {"name": "{id}"}},
    "metadata": {"metadata": {"network_id": "{id}", "availability_zone": "az2"}}}


@dataclass(frozen=True)
class Shot:
    """One request: `token` is whether it carries the attacker's; `target` and header values are latin-1."""

    service: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None
    token: bool

    @property
    def path(self) -> str:
        """The target without the query, and without the authority of the absolute form."""
        return "/" + re.sub(r"^https?://[^/?]*", "", self.target).partition("?")[0].lstrip("/")


@dataclass
class Grammar:
    """Draws requests.

    Args:
        seed: the same seed, the same requests.
        victims: ids of another project.
        own: ids of the attacker.
        project: id of the victim's project.
        home: id of the attacker's.
        token: the attacker's, for headers where it has no business.
    """

    seed: int
    victims: list[str]
    own: list[str]
    project: str
    home: str
    token: str
    chance: random.Random = field(init=False)

    def __post_init__(self):
        self.chance = random.Random(self.seed)

    def shots(self, number: int) -> Iterator[Shot]:
        """So many requests."""
        return (self.shot() for _ in itertools.repeat(None, number))

    def shot(self) -> Shot:
        """One request."""
        chance = self.chance
        service, method = chance.choice(list(COLLECTIONS)), chance.choice(METHODS)
        path = self.path(service)
        for _ in range(chance.choice((0, 0, 0, 0, 0, 1, 1, 2))):
            path = chance.choice(SPELLINGS)(path, chance)
        if chance.random() < 0.3:
            path += "?" + "&".join(self.filled(chance.choice(QUERIES)) for _ in range(chance.randint(1, 3)))
        headers = {name: self.filled(chance.choice(HEADERS[name]))
                   for name in chance.sample(list(HEADERS), chance.choice((0, 0, 1, 2)))}
        body = self.body(path) if method in ("POST", "PUT", "PATCH", "BREW") or chance.random() < 0.05 else None
        if not body:
            headers.pop("Expect", None)   # without content it is no HTTP (RFC 9110 10.1.1)
        return Shot(service, method, path, headers, body, chance.random() < 0.85)

    def path(self, service: str) -> str:
        """A path that is spelt as it should be."""
        chance, root = self.chance, ROOTS[service]
        if service in ("compute", "volume") and chance.random() < 0.4:
            root += "/" + chance.choice((self.home, self.home, self.project, "0" * 32))
        collection = chance.choice(COLLECTIONS[service])
        if chance.random() < 0.5:
            return f"{root}/{collection}{chance.choice(('', '', '/detail'))}"
        return f"{root}/{collection}/{self.id()}{chance.choice(RESTS)}"

    def id(self) -> str:
        """Somebody's, nobody's, or no id at all."""
        chance = self.chance
        kind = chance.random()
        if kind < 0.35:
            return chance.choice(self.victims)
        if kind < 0.55:
            return chance.choice(self.own)
        if kind < 0.8:
            return str(uuid.UUID(int=chance.getrandbits(128), version=4))
        return chance.choice((chance.choice(self.victims).upper(), self.project, "default", "1", "9" * 400, "-1", "%00",
                              "detail", "..", "a:b", "Pod1", "\xff", chance.choice(self.victims).replace("-", "")))

    def filled(self, text: str) -> str:
        """A text with its names in braces filled in."""
        if "{" not in text:
            return text
        for name, draw in (("{id}", self.id), ("{victim}", lambda: self.project), ("{token}", lambda: self.token),
                           ("{number}", self.number), ("{request}", lambda: f"req-{uuid.UUID(int=1)}")):
            if name in text:
                text = text.replace(name, str(draw()))
        return text

    def number(self) -> int | str:
        """A number, mostly too large or too small."""
        return self.chance.choice((0, 1, -1, 2 ** 31, 2 ** 63, 10 ** 30, "9" * 5000, "1e3", "\xb2"))

    def value(self, depth: int = 0) -> object:
        """Any JSON."""
        chance = self.chance
        kind = chance.random()
        if kind < 0.35:
            return self.id()
        if kind < 0.6 or depth > 3:
            return self.filled(chance.choice(WORDS))
        if kind < 0.75:
            return chance.choice((None, True, False, 0, -1, 1, 2, 1.5, 2 ** 40, 10 ** 400, 5))
        if kind < 0.88:
            return [self.value(depth + 1) for _ in range(chance.randint(0, 3))]
        return {chance.choice(FIELDS): self.value(depth + 1) for _ in range(chance.randint(0, 4))}

    def body(self, path: str) -> bytes:
        """A body: mostly an object under the collection's member, else whatever."""
        chance = self.chance
        if chance.random() < 0.12:
            return chance.choice((b"", b"null", b"[]", b"{", b"\xff\xfe{\x00}\x00", b"[" * 3000, b'{"a":' * 2000,
                                  b"x" * 100_000, b"{}", b'{"\\ud800": 1}', b"<xml/>", b" \t{}", b"\xef\xbb\xbf{}",
                                  json.dumps({"network": {}}).encode("utf-16"), b'{"port": NaN}', b"1" * 5000))
        segments = [part for part in path.split("?")[0].split("/") if part] or ["x"]
        sound = [SOUND[part] for part in segments if part in SOUND]
        if sound and chance.random() < 0.6:
            return self.sound(sound[-1])
        member = chance.choice((segments[2 % len(segments)], segments[-1])).replace("-", "_")
        member = chance.choice((member.removesuffix("s"), member, chance.choice(ACTIONS)))
        fields = {chance.choice(FIELDS): self.value() for _ in range(chance.randint(0, 6))}
        several = chance.random()
        document = {member: [fields] * chance.choice((1, 2, 300)) if several < 0.1 else fields}
        if several > 0.9:
            document = fields
        raw = json.dumps(document)
        if chance.random() < 0.1:   # the same key twice
            raw = raw.replace("{", "{" + f'{json.dumps(member)}: {json.dumps(self.value())}, ', 1) if document else raw
        return raw.encode("utf-8", "surrogatepass")

    def sound(self, document: dict) -> bytes:
        """A body as it should be, or with one field too many, too few, or of another kind."""
        found = json.loads(re.sub(r"\{(id|victim)\}", lambda name: self.filled(name[0]).replace("\xff", ""),
                                  json.dumps(document)))
        fields = next(iter(found.values()))
        fields = fields if isinstance(fields, dict) else found
        fate = self.chance.random()
        if fate < 0.3 and fields:
            fields.pop(self.chance.choice(list(fields)))
        elif fate < 0.5 and fields:
            fields[self.chance.choice(list(fields))] = self.value()
        elif fate < 0.75:
            fields[self.chance.choice(FIELDS)] = self.value()
        return json.dumps(found).encode("utf-8", "surrogatepass")


def _coded(path: str, chance: random.Random, form: str) -> str:
    place = chance.randrange(len(path))
    return path[:place] + form.format(ord(path[place]) & 0xff) + path[place + 1:]


def _put(path: str, chance: random.Random, what: str) -> str:
    places = [place + 1 for place, char in enumerate(path) if char == "/"] or [0]
    place = chance.choice(places)
    return path[:place] + what + path[place:]
