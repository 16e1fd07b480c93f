"""What in a body or a path is the user's own text: never read, rewritten or refused, whatever it looks like.

Sources: the API references of Nova, Cinder and Neutron.
"""
import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import unquote_plus

from tricircle.uuids import LENGTH, UUIDS

Change = Callable[[str], str]
UUID_TEXT = re.compile(UUIDS.pattern.decode())

# Fields of bodies and filters of queries, with all that is below them.
FREE = frozenset({
    "name", "description", "display_name", "display_description", "hostname", "OS-EXT-SRV-ATTR:hostname",
    "dns_name", "dns_domain", "dns_assignment", "locked_reason", "disabled_reason", "image_name", "opt_value",
    "metadata", "meta", "properties", "tags", "tag", "key", "extra_specs", "group_specs", "specs",
    "volume_image_metadata", "binding:profile", "connector",
    "user_data", "OS-EXT-SRV-ATTR:user_data", "personality",
    "key_name", "OS-EXT-SRV-ATTR:key_name", "public_key", "private_key", "fingerprint", "adminPass", "psk", "auth_key"})
FREE_FILTERS = FREE | {"tags-any", "not-tags", "not-tags-any", "glance_metadata"}
# Path segments before a key that its user has chosen.
BEFORE_FREE = frozenset({"tags", "metadata", "extra_specs", "os-extra_specs", "group_specs", "os-keypairs"})
# Objects whose `name` Nova takes for a security group's name or id, in requests.
NAMING = {"compute": frozenset({"security_groups", "addSecurityGroup", "removeSecurityGroup"})}
NOTHING: frozenset[str] = frozenset()
# Where Nova looks for an id first, in any case (neutronclient/v2_0/client.py UUID_PATTERN). In a server's
# `security_groups` it compares names and ids as they are written (nova/network/neutron.py _process_security_groups).
ID_FIRST = frozenset({"addSecurityGroup", "removeSecurityGroup"})


def in_document(document: Any, change: Change, naming: frozenset[str] = NOTHING) -> Any:
    """Change the strings of a JSON document that are not free, in place; without recursion.

    Args:
        document: of any shape.
        change: gives the new string; told only those that are long enough for an id.
        naming: fields of objects whose `name` is not free.

    Returns:
        The document.
    """
    stack: list[tuple[dict | list, bool]] = []

    def visit(value: Any, named: bool = False) -> Any:
        if type(value) is str:
            return change(value) if len(value) >= LENGTH else value
        if type(value) is dict or type(value) is list:
            stack.append((value, named))
        return value

    document = visit(document)
    while stack:
        holder, named = stack.pop()
        if type(holder) is list:
            holder[:] = [visit(value, named) for value in holder]
            continue
        for field, value in holder.items():
            if field not in FREE or (named and field == "name"):
                holder[field] = visit(value, field in naming)
    return document


def in_target(target: str, change: Change) -> str:
    """Change the parts of a path and query that are not free."""
    where, mark, query = target.partition("?")
    parts = where.split("/")
    parts = parts[:1] + [part if before in BEFORE_FREE else change(part)
                         for before, part in pairwise(parts)]
    pairs = [pair if is_free_filter(pair) else change(pair) for pair in query.split("&")]
    return "/".join(parts) + mark + "&".join(pairs)


def is_free_filter(pair: str) -> bool:
    """Whether one `name=value` of a query is free text. Cinder takes `name~` for a part of a name."""
    return unquote_plus(pair.partition("=")[0]).rstrip("~") in FREE_FILTERS


def swapping(table: dict[str, str]) -> Change:
    """A change that replaces ids, all at once."""
    def change(text: str) -> str:
        return table.get(text, text) if len(text) == LENGTH else \
            UUID_TEXT.sub(lambda found: table.get(found[0], found[0]), text)
    return change


def swapped(data: bytes, table: dict[str, str], naming: frozenset[str] = NOTHING) -> bytes:
    """Replace ids outside of free text.

    Args:
        data: a JSON document, a path with its query, or anything else, which has no free text.
        table: {old id: new id}.
        naming: as in `in_document`.
    """
    if not table:
        return data
    change = swapping(table)
    if data[:1] == b"/":
        return in_target(data.decode("latin-1"), change).encode("latin-1")
    try:
        document = json.loads(data)
    except ValueError:
        return change(data.decode("latin-1")).encode("latin-1")
    return json.dumps(in_document(document, change, naming)).encode()


def exposed(target: str, document: Any, naming: frozenset[str] = NOTHING) -> set[str]:
    """The ids outside of free text in a path and a document; of another document than JSON, give its text."""
    found: set[str] = set()

    def note(text: str) -> str:
        found.update(UUID_TEXT.findall(text))
        return text

    in_target(target, note)
    in_document(document, note, naming)
    return found
