"""Security groups and their rules."""
from tests.functional.standin.web import Refused

RULE = ("direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix",
        "remote_group_id", "remote_address_group_id")


class Security:
    """What Neutron does around security groups; mixed into `Neutron`."""

    def ensure_default(self, project: str) -> dict | None:
        """A project's `default` group; Neutron makes it the first time that the project turns up."""
        if not project:
            return None
        for group in self.shelf("security-groups").values():
            if group["project_id"] == project and group["name"] == "default":
                return group
        group = self.put("security-groups", project, {"name": "default", "description": "Default security group"})
        self._egress(group)
        for ethertype in ("IPv4", "IPv6"):
            self._rule(group, "ingress", ethertype, remote_group_id=group["id"])
        return group

    def _rule(self, group, direction, ethertype, **more):
        return self.put("security-group-rules", group["project_id"],
                        {"security_group_id": group["id"], "direction": direction, "ethertype": ethertype, **more})

    def _egress(self, group):
        for ethertype in ("IPv4", "IPv6"):
            self._rule(group, "egress", ethertype)

    def created_security_groups(self, who, row, given):
        """A new group lets everything out."""
        if row["name"] == "default":
            raise Refused(409, "Default security group already exists.", "SecurityGroupDefaultAlreadyExists")
        self._egress(row)

    def updated_security_groups(self, who, row, given):
        """Nobody may take the name of, or rename, `default`."""
        default = self.ensure_default(row["project_id"]) if given.get("name") == "default" else None
        if default and default is not row:
            raise Refused(409, "Default security group already exists.", "SecurityGroupDefaultAlreadyExists")

    def deleted_security_groups(self, who, row):
        """Not the default one, and not one that a port uses."""
        if row["name"] == "default" and not who.admin:
            raise Refused(409, "Insufficient rights for removing default security group.",
                          "SecurityGroupCannotRemoveDefault")
        if any(row["id"] in port["security_groups"] for port in self.shelf("ports").values()):
            raise Refused(409, f"Security Group {row['id']} in use.", "SecurityGroupInUse")
        for rule in [r for r in self.shelf("security-group-rules").values() if row["id"] in (
                r["security_group_id"], r["remote_group_id"])]:
            del self.shelf("security-group-rules")[rule["id"]]

    def created_security_group_rules(self, who, row, given):
        """Check a rule against its group and the rules that are there."""
        group = self.own(who, "security-groups", row["security_group_id"])
        row["ethertype"] = given.get("ethertype", "IPv4")
        if row["remote_group_id"]:
            self.own(who, "security-groups", row["remote_group_id"])
            if row["remote_ip_prefix"]:
                raise Refused(400, "Only remote_ip_prefix or remote_group_id may be provided.",
                              "SecurityGroupMultipleRemoteEntites")
        low, high = row["port_range_min"], row["port_range_max"]
        if (low is not None or high is not None) and not row["protocol"]:
            raise Refused(400, "Must also specify protocol if port range is given.",
                          "SecurityGroupProtocolRequiredWithPorts")
        if row["protocol"] in ("tcp", "udp") and None not in (low, high) and low > high:
            raise Refused(400, "For TCP/UDP protocols, port_range_min must be <= port_range_max",
                          "SecurityGroupInvalidPortRange")
        if row["protocol"] is not None:
            row["protocol"] = str(row["protocol"])
        for other in self.shelf("security-group-rules").values():
            if other is not row and other["security_group_id"] == group["id"] and all(
                    other[name] == row[name] for name in RULE):
                raise Refused(409, f"Security group rule already exists. Rule id is {other['id']}.",
                              "SecurityGroupRuleExists")

    def groups_of_port(self, who, port, given) -> list[str]:
        """The groups of a port: those asked for, or its project's default."""
        if port["device_owner"].startswith("network:") or not port["project_id"]:
            return []
        wanted = given.get("security_groups")
        if wanted is None:
            if given.get("port_security_enabled") is False:
                return []
            return [self.ensure_default(port["project_id"])["id"]]
        for id in wanted:
            self.own(who, "security-groups", id)
        return wanted
