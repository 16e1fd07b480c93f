"""Who may do what with Tricircle's own API. Requests to pods are judged by the pods, with the caller's token."""
from dataclasses import asdict

from oslo_config import cfg
from oslo_policy import opts, policy

from tricircle.errors import Forbidden
from tricircle.routing.caller import Caller

ADMIN = "rule:admin_api"
# A token of a domain or of the system says nothing about projects, on which all of this works.
SCOPES = ["project"]


def _rule(name: str, what: str, method: str, path: str) -> policy.DocumentedRuleDefault:
    return policy.DocumentedRuleDefault(f"admin_api:{name}", ADMIN, what, [{"method": method, "path": path}],
                                        scope_types=SCOPES)


RULES = [
    # As Cinder has it: where Keystone names no admin project, every project is one.
    policy.RuleDefault("admin_api", "role:admin and is_admin_project:True", "An administrator of the cloud.",
                       scope_types=SCOPES),
    _rule("pods:create", "Register a pod.", "POST", "/v1.0/pods"),
    _rule("pods:list", "List pods.", "GET", "/v1.0/pods"),
    _rule("pods:show", "Show a pod.", "GET", "/v1.0/pods/{pod_id}"),
    _rule("pods:update", "Change a pod's zones or data centre, disable or drain it.", "PUT", "/v1.0/pods/{pod_id}"),
    _rule("pods:delete", "Forget a pod.", "DELETE", "/v1.0/pods/{pod_id}"),
    _rule("bindings:create", "Bind a project to a pod.", "POST", "/v1.0/bindings"),
    _rule("bindings:list", "List bindings.", "GET", "/v1.0/bindings"),
    _rule("bindings:show", "Show a binding.", "GET", "/v1.0/bindings/{binding_id}"),
    _rule("bindings:delete", "Delete a binding.", "DELETE", "/v1.0/bindings/{binding_id}"),
    _rule("jobs:list", "List jobs.", "GET", "/v1.0/jobs"),
    _rule("jobs:show", "Show a job with its log.", "GET", "/v1.0/jobs/{job_id}"),
    _rule("jobs:redo", "Run a failed, dead or cancelled job again.", "PUT", "/v1.0/jobs/{job_id}"),
    _rule("jobs:cancel", "Take a job off the queue, or from its worker.", "DELETE", "/v1.0/jobs/{job_id}"),
    _rule("pin_pod", "Send any request to a pod of one's choice.", "GET", "any path, with header X-Tricircle-Pod"),
]


def list_rules() -> list[policy.RuleDefault]:
    """Entry point for oslopolicy-sample-generator."""
    return RULES


class Policy:
    """Enforces the rules above, as changed by the operator's policy.yaml.

    Args:
        conf: its group `oslo_policy` says where policy.yaml is.
    """

    def __init__(self, conf: cfg.ConfigOpts):
        opts.set_defaults(conf, enforce_scope=True)
        self._enforcer = policy.Enforcer(conf)
        self._enforcer.register_defaults(RULES)

    def check(self, caller: Caller, rule: str) -> None:
        """Let pass or raise Forbidden.

        Args:
            caller: who asks.
            rule: without the prefix `admin_api:`.
        """
        credentials = asdict(caller.identity) | {"roles": sorted(caller.identity.roles),
                                                 "system": caller.identity.system_scope}
        if not self._enforcer.enforce(f"admin_api:{rule}", {}, credentials):
            raise Forbidden(f"policy does not allow admin_api:{rule} to be performed")
