"""How plumbing is recognised: by its `description`, from the moment it is made."""
REPLICA = "tricircle:"
BRIDGE = "tricircle:bridge:"
MEMBER = "tricircle:member:"
SHADOW = "tricircle:shadow:"


def replica(resource_id: str) -> str:
    """Mark of a replica; `resource_id` is the home id."""
    return REPLICA + resource_id


def bridge(owner_id: str) -> str:
    """Mark of a project's bridge network and subnet (owner: the project) or of a router's bridge port (the router)."""
    return BRIDGE + owner_id


def member(pod_name: str) -> str:
    """Mark of a rule for the address of a security group's member that lives in the pod."""
    return MEMBER + pod_name


def is_member(rule: dict) -> bool:
    """Whether a security group rule stands for a member in another pod."""
    return str(rule.get("description") or "").startswith(MEMBER)


def shadow(router_id: str) -> str:
    """Mark of a router's interface that stands for one in another pod (see crosspod/shadow.py)."""
    return SHADOW + router_id


def is_marked(record: dict, field: str = "description") -> bool:
    """Whether a record of a pod is Tricircle's own: a replica or plumbing."""
    return str(record.get(field) or "").startswith(REPLICA)


def home_id(record: dict, field: str = "description") -> str:
    """The home id that a replica's mark names."""
    return record[field].removeprefix(REPLICA)
