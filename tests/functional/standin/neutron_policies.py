"""QoS policies with their rules, and RBAC policies."""
from tests.functional.standin import checks as c
from tests.functional.standin.service import new_id
from tests.functional.standin.web import Refused, Response

TEMPLATES = {   # as in Neutron's API reference
    "policy": {"id": "", "name": "", "description": "", "shared": False, "is_default": False, "rules": [], "tags": [],
               "project_id": "", "tenant_id": "", "revision_number": 0, "created_at": "", "updated_at": ""},
    "address_scope": {"id": "", "name": "", "ip_version": 4, "shared": False, "project_id": "", "tenant_id": ""},
    "rbac_policy": {"id": "", "object_type": "", "object_id": "", "action": "", "target_tenant": "", "project_id": "",
                    "tenant_id": ""}}
WAY = c.one_of("ingress", "egress")
RULES = {
    "bandwidth_limit": ({"max_kbps": c.integer(0), "max_burst_kbps": c.integer(0), "direction": WAY},
                        {"max_burst_kbps": 0, "direction": "egress"}),
    "dscp_marking": ({"dscp_mark": c.integer(0, 56)}, {}),
    "minimum_bandwidth": ({"min_kbps": c.integer(0), "direction": WAY}, {"direction": "egress"})}
SHARED = {"network": "networks", "qos_policy": "qos/policies", "security_group": "security-groups",
          "address_scope": "address-scopes", "subnetpool": "subnetpools"}


class Policies:
    """Mixed into `Neutron`."""

    def policies_table(self):
        """Routes that no kind has by itself."""
        table = []
        for kind in RULES:
            path = f"/v2.0/qos/policies/{{id}}/{kind}_rules"
            table += [("GET", path, self.bound(self.rule_list, kind)),
                      ("POST", path, self.bound(self.rule_create, kind)),
                      *((method, path + "/{rule}", self.bound(self.rule, kind)) for method in ("GET", "PUT", "DELETE")),
                      *((method, f"/v2.0/qos/alias-{kind.replace('_', '-')}-rules/{{rule}}",
                         self.bound(self.alias_rule, kind)) for method in ("GET", "PUT", "DELETE"))]
        return table

    # QoS

    def _policy(self, request, id, what):
        if request.method != "GET":
            return self._changeable(request, "qos/policies", id, what)
        return self.own(request.who, "qos/policies", id)

    def rule_list(self, request, kind, id):
        """GET of a policy's rules of one type."""
        rules = [self._rule_view(rule) for rule in self._policy(request, id, "get_policy")["rules"]
                 if rule["type"] == kind]
        return Response(200, {f"{kind}_rules": rules})

    @staticmethod
    def _rule_view(rule):
        return {name: value for name, value in rule.items() if name not in ("type", "qos_policy_id")}

    def rule_create(self, request, kind, id):
        """POST: one rule of a type for a direction."""
        policy = self._policy(request, id, f"create_policy_{kind}_rule")
        checks, defaults = RULES[kind]
        rule = {**defaults, **self._checked(checks, self._member(request, f"{kind}_rule"))}
        if any((each["type"], each.get("direction")) == (kind, rule.get("direction")) for each in policy["rules"]):
            raise Refused(409, f"Rule {kind} conflicts with a rule of the policy {id}.", "QoSRulesConflict")
        policy["rules"].append({"id": new_id(), "type": kind, "qos_policy_id": id, **rule})
        return Response(201, {f"{kind}_rule": self._rule_view(policy["rules"][-1])})

    def alias_rule(self, request, kind, rule):
        """One rule, whosever it is."""
        id = next((policy["id"] for policy in self.shelf("qos/policies").values()
                   if any(each["id"] == rule for each in policy["rules"])), None)
        return self.rule(request, kind, id, rule, "alias_")

    def rule(self, request, kind, id, rule, alias=""):
        """One rule."""
        policy = self._policy(request, id, f"update_policy_{kind}_rule")
        found = next((each for each in policy["rules"] if each["id"] == rule and each["type"] == kind), None)
        if not found:
            raise Refused(404, f"QoS rule {rule} for policy {id} could not be found.", "QosRuleNotFound")
        if request.method == "DELETE":
            policy["rules"].remove(found)
            return Response(204)
        if request.method == "PUT":
            found |= self._checked(RULES[kind][0], self._member(request, f"{alias}{kind}_rule"))
        return Response(200, {f"{alias}{kind}_rule": self._rule_view(found)})

    def deleted_qos_policies(self, who, row):
        """Not while a port or network has it."""
        for plural in ("ports", "networks"):
            user = next((each for each in self.shelf(plural).values() if each.get("qos_policy_id") == row["id"]), None)
            if user:
                raise Refused(409, f"QoS Policy {row['id']} is used by {plural[:-1]} {user['id']}.", "QosPolicyInUse")

    def check_policy(self, who, given):
        """The policy that a port or network is to have is one that its owner sees."""
        if given.get("qos_policy_id"):
            self.own(who, "qos/policies", given["qos_policy_id"])

    # RBAC

    def shared_with(self, who, id: str) -> bool:
        """Whether an RBAC policy lets a caller see an object."""
        return any(row["object_id"] == id and row["target_tenant"] in ("*", who.project.id)
                   for row in self.shelf("rbac-policies").values())

    def created_rbac_policies(self, who, row, given):
        """Whoever owns a thing may share it; everybody is an administrator's business."""
        self._target(who, row)
        thing = self.shelf(SHARED.get(row["object_type"], "")).get(row["object_id"])
        if thing is None or (thing["project_id"] != who.project.id and not who.admin):
            raise Refused(404, f"RBAC policy object {row['object_id']} could not be found.", "RbacPolicyNotFound")
        names = ("object_id", "action", "target_tenant")
        if any(other is not row and all(other[name] == row[name] for name in names)
               for other in self.shelf("rbac-policies").values()):
            raise Refused(409, "Failed to create a duplicate RBACEntry.", "NeutronDbObjectDuplicateEntry")
        if row["object_type"] == "subnetpool":
            self.check_shared_pool(thing, row)

    def updated_rbac_policies(self, who, row, given):
        """The target."""
        if "target_tenant" not in given and row["object_type"] == "security_group":   # rbac_db.py: KeyError
            raise Refused(409, f"RBAC policy on object {row['object_id']} cannot be removed because other objects "
                          "depend on it.\nDetails: Callback failed with \"'target_project'\"", "RbacPolicyInUse")
        self._target(who, row)

    @staticmethod
    def _target(who, row):
        if row["target_tenant"] == "*" and not who.admin:
            raise Refused(403, "rule:create_rbac_policy:target_tenant is disallowed by policy", "PolicyNotAuthorized")
