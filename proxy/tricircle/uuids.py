"""UUIDs in bytes: they have a constant form, so one pass of a regular expression finds or replaces them all."""
import re

UUIDS = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def ids(data: bytes) -> list[str]:
    """The different UUIDs in some bytes, in order of appearance."""
    return list(dict.fromkeys(found.decode() for found in UUIDS.findall(data)))


def swap(data: bytes, mapping: dict[str, str]) -> bytes:
    """Replace UUIDs, all at once: a swapped-in id is not looked at again."""
    if not mapping:
        return data
    table = {old.encode(): new.encode() for old, new in mapping.items()}
    return UUIDS.sub(lambda found: table.get(found[0], found[0]), data)
