"""Subnet pools and address scopes, as in Neutron's db_base_plugin_v2.py and ipam/subnet_alloc.py."""
import netaddr

from tests.functional.standin import checks as c
from tests.functional.standin.web import Refused, Response

ACTIONS = {"add_prefixes": {"prefixes": c.many(c.cidr)}, "remove_prefixes": {"prefixes": c.many(c.cidr)},
           "onboard_network_subnets": {"network_id": c.identifier}}
UNITS = {4: 32, 6: 64}


def _compact(prefixes) -> list[str]:
    return [str(net) for net in netaddr.IPSet(prefixes).iter_cidrs()]


class Pools:
    """Mixed into `Neutron`."""

    def pools_table(self):
        """The actions of a pool."""
        return [("PUT", f"/v2.0/subnetpools/{{id}}/{action}", self.bound(self.pool_action, action))
                for action in ACTIONS]

    # Pools and scopes

    def created_address_scopes(self, who, row, given):
        """What is shared has an RBAC policy that says so."""
        self._share(row, "address_scope")

    def updated_address_scopes(self, who, row, given):
        """The same."""
        if "shared" in given:
            self._share(row, "address_scope")

    def deleted_address_scopes(self, who, row):
        """Not while a pool has it."""
        if any(pool["address_scope_id"] == row["id"] for pool in self.shelf("subnetpools").values()):
            raise Refused(409, f"Unable to complete operation on address scope {row['id']}. There are one or more "
                               "subnet pools in use on the address scope.", "AddressScopeInUse")
        self._unshare(row)

    def created_subnetpools(self, who, row, given):
        """Compact the prefixes and fill in the bounds."""
        if not given["prefixes"]:
            raise Refused(400, "Empty subnet pool prefix list.", "EmptySubnetPoolPrefixList")
        row["ip_version"] = netaddr.IPNetwork(given["prefixes"][0]).version
        bits = 8 if row["ip_version"] == 4 else 64
        for name, default in (("min_prefixlen", bits), ("max_prefixlen", 32 if bits == 8 else 128)):
            row[name] = str(given.get(name, default))
        row["default_prefixlen"] = str(given.get("default_prefixlen", row["min_prefixlen"]))
        self._default(row, was=False)
        self._checked_pool(who, row)
        self._share(row, "subnetpool")

    def updated_subnetpools(self, who, row, given):
        """Prefixes are only added here; `remove_prefixes` takes them away."""
        before = self._stored[row["id"]]
        if netaddr.IPSet(before["prefixes"]) - netaddr.IPSet(row["prefixes"]):
            raise Refused(400, "Illegal update to prefixes: Existing prefixes must be a subset of the new prefixes.",
                          "IllegalSubnetPoolPrefixUpdate")
        for name in ("min_prefixlen", "max_prefixlen", "default_prefixlen"):
            row[name] = str(row[name])
        self._default(row, before["is_default"])
        self._checked_pool(who, row)

    def _default(self, row, was):
        if row["is_default"] and not was and any(
                pool is not row and pool["is_default"] and pool["ip_version"] == row["ip_version"]
                for pool in self.shelf("subnetpools").values()):
            raise Refused(400, "Invalid input for operation: A default subnetpool for this IP family has already been "
                               "set. Only one default may exist per IP family.", "InvalidInput")

    def _checked_pool(self, who, row):
        if any(netaddr.IPNetwork(each).version != row["ip_version"] for each in row["prefixes"]):
            raise Refused(400, "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.", "PrefixVersionMismatch")
        row["prefixes"] = _compact(row["prefixes"])
        low, usual, high = (int(row[f"{name}_prefixlen"]) for name in ("min", "default", "max"))
        if not low <= usual <= high:
            raise Refused(400, f"Illegal prefix bounds: min_prefixlen={low}, max_prefixlen={high}.",
                          "IllegalSubnetPoolPrefixBounds")
        if row["address_scope_id"]:
            self._check_scope(who, row)
        self._stored[row["id"]] = {name: row[name] for name in ("prefixes", "is_default")}

    def _check_scope(self, who, row):
        scope = self.own(who, "address-scopes", row["address_scope_id"])
        if scope["ip_version"] != row["ip_version"]:
            raise Refused(400, f"Illegal subnetpool association: subnetpool {row['id']} cannot associate with address "
                               f"scope {scope['id']} because subnetpool ip_version is not {scope['ip_version']}.",
                          "IllegalSubnetPoolIpVersionAssociationToAddressScope")
        mine = netaddr.IPSet(row["prefixes"])
        for pool in self.shelf("subnetpools").values():
            if pool is not row and pool["address_scope_id"] == scope["id"] and netaddr.IPSet(pool["prefixes"]) & mine:
                raise Refused(409, "Failed to associate address scope: subnetpools within an address scope must have "
                                   "unique prefixes.", "AddressScopePrefixConflict")

    def deleted_subnetpools(self, who, row):
        """Not while a subnet is from it."""
        if self._drawn(row["id"]):
            raise Refused(400, "Unable to delete subnet pool: Subnet pool has existing allocations.",
                          "SubnetPoolDeleteError")
        self._unshare(row)

    def _share(self, row, kind):
        mine = [each for each in self.shelf("rbac-policies").values()
                if each["object_id"] == row["id"] and each["target_tenant"] == "*"]
        if row["shared"] and not mine:
            self.put("rbac-policies", row["project_id"], {"object_type": kind, "object_id": row["id"],
                                                          "action": "access_as_shared", "target_tenant": "*"})
        for each in mine if not row["shared"] else ():
            del self.shelf("rbac-policies")[each["id"]]

    def _unshare(self, row):
        for each in [each for each in self.shelf("rbac-policies").values() if each["object_id"] == row["id"]]:
            del self.shelf("rbac-policies")[each["id"]]

    def check_shared_pool(self, pool, policy):
        """Neutron's SubnetPool.validate_rbac_policy_create: whom it is shared with must have its scope, too."""
        if pool["address_scope_id"] and not any(
                each["object_id"] == pool["address_scope_id"] and each["target_tenant"] in (
                    "*", policy["target_tenant"])
                for each in self.shelf("rbac-policies").values()):
            raise Refused(500, f"Failed to create RBAC policy on object {pool['id']} because target project doesn't "
                               "have access to associated address scope.", "RbacPolicyInitError")

    def deleted_rbac_policies(self, who, row):
        """Not while a project has subnets from the pool that this alone shares with it."""
        pool = self.shelf("subnetpools").get(row["object_id"])
        others = [each["target_tenant"] for each in self.shelf("rbac-policies").values()
                  if each is not row and each["object_id"] == row["object_id"]]
        users = {s["project_id"] for s in self.shelf("subnets").values() if pool and s["subnetpool_id"] == pool["id"]}
        for user in users - {pool["project_id"]} if pool else ():
            if row["target_tenant"] in ("*", user) and not {"*", user} & set(others):
                raise Refused(409, f"RBAC policy on object {row['object_id']} cannot be removed because other objects "
                                   "depend on it.", "RbacPolicyInUse")

    def pool_action(self, request, action, id):
        """PUT of one of `ACTIONS`."""
        row = self._changeable(request, "subnetpools", id, action)
        given = self._checked(ACTIONS[action], self.body(request))
        if not all(given.get(name) for name in ACTIONS[action]):
            raise Refused(400, "Request body contains invalid data", "HTTPBadRequest")
        if action == "onboard_network_subnets":
            return Response(200, self._onboard(request.who, row, given["network_id"]))
        wanted = netaddr.IPSet(given["prefixes"])
        if action == "remove_prefixes" and wanted & netaddr.IPSet(self._drawn(id)):
            raise Refused(400, "Illegal update to prefixes: One or more the prefixes to be removed is in use by a "
                               "subnet.", "IllegalSubnetPoolPrefixUpdate")
        has = netaddr.IPSet(row["prefixes"])
        row["prefixes"] = _compact(has - wanted if action == "remove_prefixes" else has | wanted)
        self._checked_pool(request.who, row)
        return Response(200, {"prefixes": row["prefixes"]})

    def _onboard(self, who, row, network_id):
        self.own(who, "networks", network_id)
        joining = [s for s in self.shelf("subnets").values() if s["network_id"] == network_id
                   and s["ip_version"] == row["ip_version"]]
        cidrs = [subnet["cidr"] for subnet in joining]
        if netaddr.IPSet(cidrs) & netaddr.IPSet(self._drawn(row["id"])):
            raise Refused(400, f"Illegal subnetpool update : Onboarding subnets of {network_id} conflicts with "
                               f"allocated prefixes in subnet pool {row['id']}.", "IllegalSubnetPoolUpdate")
        row["prefixes"] = _compact([*row["prefixes"], *cidrs])
        self._checked_pool(who, row)
        for subnet in joining:
            subnet["subnetpool_id"] = row["id"]
        return [{"id": subnet["id"], "cidr": subnet["cidr"]} for subnet in joining]

    # Subnets

    def _drawn(self, pool_id, project=None):
        return [s["cidr"] for s in self.shelf("subnets").values()
                if s["subnetpool_id"] == pool_id and project in (None, s["project_id"])]

    def draw(self, who, row, given):
        """Give a subnet its prefix from the pool that its body names, if it names one."""
        cidr, length, default = given.get("cidr"), given.get("prefixlen"), given.get("use_default_subnetpool")
        row["subnetpool_id"] = None
        for name in ("use_default_subnetpool", "prefixlen"):
            row.pop(name, None)
        if cidr and length is not None:
            raise _bad("cidr and prefixlen must not be supplied together")
        if default and given.get("subnetpool_id"):
            raise _bad("subnetpool_id and use_default_subnetpool cannot both be specified")
        version = netaddr.IPNetwork(cidr).version if cidr else int(given["ip_version"])
        pool = self._default_pool(who, version) if default else None
        if given.get("subnetpool_id"):
            pool = self.own(who, "subnetpools", given["subnetpool_id"])
        if not pool and not cidr:
            raise _bad("a subnetpool must be specified in the absence of a cidr")
        self._alike(row, pool, version)
        if not pool:
            return
        if given.get("allocation_pools") and not cidr:
            raise _bad("allocation_pools allowed only for specific subnet requests.")
        if pool["ip_version"] != int(given["ip_version"]):
            raise _bad(f"Cannot allocate IPv{given['ip_version']} subnet from IPv{pool['ip_version']} subnet pool")
        if given.get("gateway_ip") and not cidr:
            cidr = f"{given['gateway_ip']}/{length or pool['default_prefixlen']}"
        size = netaddr.IPNetwork(cidr).prefixlen if cidr else int(length or pool["default_prefixlen"])
        row["cidr"] = self._allocate(pool, size, cidr and netaddr.IPNetwork(cidr).cidr)
        row["subnetpool_id"] = pool["id"]

    def _alike(self, row, pool, version):
        """A network's subnets are from one pool, or from pools of one scope."""
        for other in self._subnets(row["network_id"]):
            theirs = self.shelf("subnetpools").get(other["subnetpool_id"])
            scopes = {each and each["address_scope_id"] for each in (pool, theirs)}
            if other is not row and other["ip_version"] == version and theirs is not pool and (
                    scopes == {None} or len(scopes) > 1):
                raise Refused(400, "Subnets hosted on the same network must be allocated from the same subnet pool.",
                              "NetworkSubnetPoolAffinityError")

    def _default_pool(self, who, version):
        for pool in self.shelf("subnetpools").values():
            if pool["is_default"] and pool["ip_version"] == version and self.may_see(who, "subnetpools", pool):
                return pool
        raise _bad(f"No default subnetpool found for IPv{version}")

    def _allocate(self, pool, size, wanted):
        for word, kind in (("maximum", "max"), ("minimum", "min")):
            bound = int(pool[f"{kind}_prefixlen"])
            if size > bound if kind == "max" else size < bound:
                raise Refused(400, f"Unable to allocate subnet with prefix length {size}, {word} allowed prefix is "
                                   f"{bound}.", f"{kind.title()}PrefixSubnetAllocationError")
        quota, unit = pool["default_quota"], UNITS[pool["ip_version"]]
        used = [netaddr.IPNetwork(each).prefixlen for each in self._drawn(pool["id"], pool["project_id"])]
        if quota and sum(2.0 ** (unit - each) for each in [*used, size]) > quota:
            raise Refused(409, "Per-tenant subnet pool prefix quota exceeded.", "SubnetPoolQuotaExceeded")
        free = netaddr.IPSet(pool["prefixes"]) - netaddr.IPSet(self._drawn(pool["id"]))
        free = sorted(free.iter_cidrs(), key=lambda net: net.prefixlen, reverse=True)
        if wanted:
            matched = netaddr.all_matching_cidrs(wanted, free)
            if len(matched) == 1 and matched[0].prefixlen <= wanted.prefixlen:
                return str(wanted)
        for net in free if not wanted else ():
            if size >= net.prefixlen:
                return str(next(net.subnet(size)))
        # Neutron has no status for its SubnetAllocationError.
        raise Refused(500, "Request Failed: internal server error while processing your request.",
                      "HTTPInternalServerError")


def _bad(words):
    return Refused(400, f"Bad subnets request: {words}.", "BadRequest")
