"""The collections of the three APIs, as data.

A collection that is not here, a vendor's for one, is an ordinary one: its members have UUIDs, live in one pod, and
lists merge by concatenation. What is below a member belongs to its pod. `tests/unit/test_paths.py` holds this table
against what Nova, Cinder and Neutron of two releases register. Sources: their API references.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Collection:
    """One collection of a service.

    What is below a member lives in the member's pod and is served by it.

    Args:
        path: its path segments, `servers` or `qos/policies`.
        everywhere: one and the same thing in every pod, under a key that the user knows (a flavor's id, a keypair's
            name): read from any pod, written to all.
        replicable: a pod that needs it gets a replica; a request may therefore pull it away from its home.
        natural: field that tells whether two pods' records are the same thing; lists show it once.
        parent: field with the id of what it belongs to; where that is a replica, so is the record.
        common: the list shows what all pods have, not what any has.
        brief: fields of the short list, where `/detail` gives the long one.
        words: sub-paths that are no ids, as `detail` in `servers/detail`.
        per_pod: belongs to the pods and not to projects, as hypervisors do: lists ask every pod, integer ids end in the
            pod's number (`routing.numbers`), zones are the pod's own, members may be called by name.
        totals: sub-paths whose answer is a sum over the pods; `*` for all of them.
        order: how the pods sort it by themselves, [(field, descending)]. Without one, or with `natural`, pages are
            cut from the pods' whole lists.
        unpaged: (microversion, order): before that microversion the service cuts no pages of the collection, takes no
            sort keys, and sorts it in that order.
        small: pages are cut from the pods' whole lists, whatever the service does with others.
        partial: microversion from which on the members of a pod that does not answer are shown in part.
        acting: sub-paths of members of which a GET changes something.
        marker: field of a record by which the page behind it is asked for; dots go into nested objects. Empty where the
            service cuts no pages.
        links: field of a page with the links to other pages; `<records>_links` where it is None. Empty where a page has
            none.
        deleted: path and query of a list that shows a member to an administrator after it was deleted, up to its id; as
            markers the service takes such ones, too.
        listed: no GET shows a member alone: where it is the list tells.
        gathers: list in a record to which each replica has something to add.
        of: (service, collection) whose ids its members have, where it shows another side of those.
        statusless: sub-paths of members of which openstacksdk reads the answer to a POST as JSON and never its status
            (openstack/network/v2/agent.py, flavor.py).
        hosts: what is put on one of them has to be in its pod already, and gets no replica there for that.
        network: field with the id of the network that a record belongs to, or is, and which alone carries a mark.
        brings: collections of whose members the pod gets a replica when a request for this one names them, though they
            stay where they are otherwise.
    """

    path: str
    everywhere: bool = False
    replicable: bool = False
    natural: str = ""
    parent: str = ""
    common: bool = False
    brief: tuple[str, ...] = ()
    words: tuple[str, ...] = ("detail",)
    per_pod: bool = False
    totals: tuple[str, ...] = ()
    order: tuple[tuple[str, bool], ...] = ()
    unpaged: tuple[tuple[int, int], tuple[tuple[str, bool], ...]] | None = None
    small: bool = False
    partial: tuple[int, int] | None = None
    acting: tuple[str, ...] = ()
    marker: str = "id"
    links: str | None = None
    deleted: str = ""
    listed: bool = False
    gathers: str = ""
    of: tuple[str, str] | None = None
    statusless: tuple[str, ...] = ()
    hosts: bool = False
    network: str = ""
    brings: tuple[str, ...] = ()

    @property
    def is_nameless(self) -> bool:
        """Whether no pod is looked for by a member's id."""
        return bool(self.natural) and not self.everywhere and not self.per_pod

    def links_of(self, key: str) -> str:
        """Return the field of a page with the links to other pages; empty where there is none.

        Args:
            key: field of the page with the records.
        """
        return f"{key}_links" if self.links is None else self.links


# What an administrator does to a service is named in the path, and the service in the body.
SERVICE_WORDS = ("enable", "disable", "disable-log-reason", "force-down", "freeze", "thaw", "failover_host", "failover",
                 "get-log", "set-log")
BRIEF = ("id", "name", "links")
NEWEST, OLDEST = (("created_at", True),), (("created_at", False),)
TRANSFER = ("id", "name", "volume_id", "links")
NEVER = (1000, 0)   # beyond every microversion
# Any pod says that they are gone (410), or what else it says: nothing is there to be merged.
GONE = ("os-agents", "os-cells", "os-certificates", "os-cloudpipe", "os-fixed-ips", "os-floating-ip-dns",
        "os-floating-ips-bulk", "os-fping", "os-security-group-default-rules")
# Rules of QoS policies, called without their policy.
ALIAS_RULES = tuple(f"qos/alias-{kind}-rules" for kind in (
    "bandwidth-limit", "dscp-marking", "minimum-bandwidth", "minimum-packet-rate"))


def _table(*rows: Collection) -> dict[str, Collection]:
    return {row.path: row for row in rows}


def _ordinary(*paths: str) -> tuple[Collection, ...]:
    """Members have UUIDs, are found by asking, and live in one pod."""
    return tuple(map(Collection, paths))


COLLECTIONS = {
    "compute": _table(
        Collection("flavors", everywhere=True, natural="id"),
        Collection("os-keypairs", everywhere=True, natural="keypair.name", marker="keypair.name",
                   unpaged=((2, 35), ())),
        Collection("os-quota-sets", everywhere=True),
        Collection("os-quota-class-sets", everywhere=True),
        Collection("os-availability-zone", natural="zoneName", marker=""),
        Collection("extensions", natural="alias", common=True, marker=""),
        Collection("versions", everywhere=True),
        Collection("os-aggregates", per_pod=True, marker=""),
        Collection("os-hypervisors", per_pod=True, words=("detail", "statistics"), totals=("/statistics",),
                   unpaged=((2, 33), ())),
        Collection("os-services", per_pod=True, words=SERVICE_WORDS, listed=True, marker=""),
        Collection("os-hosts", per_pod=True, marker=""),
        Collection("os-migrations", per_pod=True, marker="uuid", unpaged=((2, 59), ())),
        Collection("os-baremetal-nodes", per_pod=True, marker=""),
        Collection("os-simple-tenant-usage", natural="tenant_id", per_pod=True, totals=("*",)),
        Collection("os-instance_usage_audit_log", per_pod=True, totals=("*",)),
        Collection("os-floating-ip-pools", natural="name", marker=""),
        Collection("images", natural="id"),   # Glance's, which all pods may have in common
        Collection("limits"),                 # api/quotas.py
        Collection("os-server-groups", replicable=True, gathers="members", links=""),
        # nova/compute/instance_list.py `get_marker_record`
        Collection("servers", brief=BRIEF, order=(("created", True),), partial=(2, 69),
                   deleted="/detail?all_tenants=True&deleted=True&uuid="),
        # Cinder's and Neutron's, as Nova shows them.
        Collection("os-assisted-volume-snapshots", of=("volume", "snapshots")),
        Collection("os-security-group-rules", of=("network", "security-group-rules")),
        Collection("os-networks", of=("network", "networks"), network="id", marker="", words=("add",)),
        Collection("os-tenant-networks", of=("network", "networks"), network="id", marker=""),
        *_ordinary("os-volumes", "os-snapshots", "os-floating-ips", "os-security-groups",
                   "os-console-auth-tokens", "os-server-external-events", *GONE),
    ),
    "volume": _table(
        Collection("os-quota-sets", everywhere=True),
        Collection("os-quota-class-sets", everywhere=True),
        Collection("types", everywhere=True, natural="name", words=("default", "detail"),
                   links="volume_type_links"),
        Collection("group_types", everywhere=True, natural="name", words=("default", "detail"),
                   links="group_type_links"),
        Collection("qos-specs", everywhere=True, natural="name",
                   acting=("/associate", "/disassociate", "/disassociate_all")),
        Collection("os-availability-zone", natural="zoneName", marker=""),
        Collection("extensions", natural="alias", common=True, marker=""),
        Collection("resource_filters", natural="resource", marker=""),
        Collection("default-types", everywhere=True, natural="project_id", marker=""),
        Collection("limits"),   # api/quotas.py
        Collection("os-services", per_pod=True, words=SERVICE_WORDS, marker=""),
        Collection("os-hosts", per_pod=True, marker=""),
        Collection("clusters", per_pod=True, words=("detail", "enable", "disable"), marker=""),
        Collection("workers", per_pod=True, words=("cleanup",)),
        Collection("scheduler-stats", per_pod=True, words=("get_pools",), marker=""),
        Collection("capabilities", per_pod=True),
        # What a backend has and Cinder does not: the records have no ids, and a reference of the backend's own.
        *(Collection(path, per_pod=True, marker="") for path in (
            "manageable_volumes", "manageable_snapshots", "os-volume-manage", "os-snapshot-manage")),
        Collection("volumes", words=("detail", "summary"), totals=("/summary",), brief=BRIEF, order=NEWEST),
        Collection("snapshots", parent="volume_id", order=NEWEST),
        Collection("backups", words=("detail", "import_record"), brief=BRIEF, order=NEWEST),
        Collection("groups", brief=("id", "name"), words=("detail", "action"), order=NEWEST, links="group_links"),
        Collection("consistencygroups", words=("detail", "create_from_src"), links="consistencygroup_links"),
        Collection("group_snapshots", brief=("id", "name", "group_type_id"), order=NEWEST,
                   unpaged=((3, 29), NEWEST), links="group_snapshot_links"),
        Collection("messages", order=NEWEST, unpaged=((3, 5), NEWEST)),
        # Asked for pages or an order before 3.59, or by the older name, Cinder finds nothing: it takes the parameters
        # for columns to filter by (cinder/api/contrib/volume_transfer.py `_get_transfers`).
        Collection("volume-transfers", brief=TRANSFER, order=NEWEST, unpaged=((3, 59), OLDEST)),
        Collection("os-volume-transfer", brief=TRANSFER, order=NEWEST, unpaged=(NEVER, OLDEST)),
        # Attachments do not show when they were made.
        *(Collection(path, links="") for path in ("attachments", "cgsnapshots")),
    ),
    "network": _table(
        Collection("security-groups", replicable=True, small=True),
        Collection("security-group-rules", parent="security_group_id"),
        Collection("routers", replicable=True),
        Collection("floatingips", brings=("ports",)),
        Collection("networks"),
        Collection("ports", parent="network_id"),
        Collection("subnets", parent="network_id"),
        Collection("quotas", everywhere=True, natural="project_id", words=(), marker=""),
        Collection("qos/policies", replicable=True),
        Collection("subnetpools", replicable=True),
        Collection("address-scopes", replicable=True),
        Collection("rbac-policies", parent="object_id"),
        Collection("qos/rule-types", natural="type", marker=""),
        Collection("extensions", natural="alias", common=True, marker=""),
        Collection("availability_zones", natural="name", marker=""),
        Collection("service-providers", natural="name", marker=""),
        Collection("log/loggable-resources", natural="type", marker=""),
        # Their records have no ids, so there is no marker.
        Collection("network-ip-availabilities", parent="network_id", network="network_id", of=("network", "networks"),
                   marker=""),
        Collection("floatingip-pools", parent="network_id", marker=""),
        Collection("segments", parent="network_id", network="network_id"),
        Collection("agents", marker="", hosts=True, statusless=("/dhcp-networks", "/l3-routers")),
        Collection("flavors", statusless=("/service_profiles",)),
        # Its members are projects' ids (api/network.py).
        *_ordinary("auto-allocated-topology", "auto-allocated-topologies"),
        # With a dash Neutron breaks over its associations.
        *_ordinary("local_ips"),
        *_ordinary("address-groups", "service-profiles", "ndp-proxies", "network-segment-ranges", "trunks",
                   "metering/metering-labels", "metering/metering-label-rules", "log/logs",
                   "logging/logging-resources", "default-security-group-rules", "security-groups-default-statefulness"),
        *_ordinary(*ALIAS_RULES),
        # Of projects beside Neutron, which neutron-lib describes.
        *_ordinary("bgp-peers", "bgp-speakers", "bgpvpn/bgpvpns", "fwaas/firewall-groups", "fwaas/firewall-policies",
                   "fwaas/firewall-rules", "sfc/flow-classifiers", "sfc/port-chains", "sfc/port-pair-groups",
                   "sfc/port-pairs", "sfc/service-graphs",
                   "taas/tap-flows", "taas/tap-mirrors", "taas/tap-services", "vpn/endpoint-groups",
                   "vpn/ikepolicies", "vpn/ipsec-site-connections", "vpn/ipsecpolicies", "vpn/vpnservices"),
    ),
}
