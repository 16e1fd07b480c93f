"""What a service says when a quota would be passed: the words and statuses of Nova, Cinder and Neutron (Zed)."""
from tricircle.api.message import Response, error_body
from tricircle.errors import ApiError
from tricircle.routing.catalogue import Path
from tricircle.routing.takes import Amount
from tricircle.store.claims import Key

Over = dict[Key, tuple[int, int]]
# Nova says this where nothing but that quota is meant; anything else is `TooManyInstances`.
NOVA = {"server_groups": "Quota exceeded, too many server groups.", "port": "Maximum number of ports exceeded",
        "security_group": "Quota exceeded, too many security groups.",
        "security_group_rule": "Quota exceeded, too many security group rules."}
# By the beginning of a quota's name; `gigabytes` first, as Cinder looks at it first. Cinder's middleware puts the name
# of the exception before its words (cinder/api/middleware/fault.py).
CINDER = {
    "backup_gigabytes": "VolumeBackupSizeExceedsAvailableQuota: Requested backup exceeds allowed Backup gigabytes "
                        "quota. Requested {asked}G, quota is {limit}G and {used}G has been consumed.",
    "gigabytes": "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed {name} quota. "
                 "Requested {asked}G, quota is {limit}G and {used}G has been consumed.",
    "volumes": "VolumeLimitExceeded: Maximum number of volumes allowed ({limit}) exceeded for quota '{name}'.",
    "snapshots": "SnapshotLimitExceeded: Maximum number of snapshots allowed ({limit}) exceeded",
    "backups": "BackupLimitExceeded: Maximum number of backups allowed ({limit}) exceeded",
    "groups": "GroupLimitExceeded: Maximum number of groups allowed ({limit}) exceeded",
}


def refusal(path: Path, amount: Amount, over: Over) -> Response:
    """The answer to a request that would pass a quota.

    Args:
        path: of the request; tells whose words.
        amount: what it would take.
        over: as `Room.over` gives it; not empty.
    """
    status, words = {"compute": _nova, "volume": _cinder, "network": _neutron}[path.service.name](amount, over)
    error = ApiError(words, "OverQuota")
    error.status = status
    body = error_body(path.service.errors, error)
    if status == 413:
        # As Cinder does: its QuotaError carries Retry-After, and the body repeats it.
        body["overLimit"]["retryAfter"] = "0"
    response = Response.of_json(status, body)
    response.headers += [("Retry-After", "0")] if status == 413 else []
    return response


def _nova(amount: Amount, over: Over) -> tuple[int, str]:
    for name, words in NOVA.items():
        if [each for _, each in over] == [name]:
            return 403, words
    over = {key: numbers for key, numbers in over.items() if key[0] == "compute"} or over
    names = ", ".join(name for _, name in over)
    asked = ", ".join(_asked(amount, key) for key in over)
    used = ", ".join(str(used) for _, used in over.values())
    limits = ", ".join(str(limit) for limit, _ in over.values())
    return 403, f"Quota exceeded for {names}: Requested {asked}, but already used {used} of {limits} {names}"


def _asked(amount: Amount, key: Key) -> str:
    """Nova tells the range of instances, and the rest for the most of them."""
    if key[1] == "instances" and amount.least != amount.most:
        return f"{amount.least}-{amount.most}"
    return str(amount.units[key] * amount.most)


def _cinder(amount: Amount, over: Over) -> tuple[int, str]:
    for start, words in CINDER.items():
        for key, (limit, used) in over.items():
            if key[1].startswith(start):
                return 413, words.format(name=key[1], asked=amount.units[key], limit=limit, used=used)
    return 413, f"UnexpectedOverQuota: Unexpected over quota on {', '.join(name for _, name in over)}."


def _neutron(_: Amount, over: Over) -> tuple[int, str]:
    return 409, f"Quota exceeded for resources: {[name for _, name in over]}."
