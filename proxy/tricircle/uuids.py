"""UUIDs in bytes: they have a constant form, so one pass of a regular expression finds or replaces them all."""
import re

# The part behind the first dash, looking back at what is before: a pattern that begins with a dash is searched for four
# times as fast as one that begins with any of the many hexadecimal digits.
TAILS = re.compile(rb"-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-(?<=[0-9a-f]{8}-.{15})[0-9a-f]{12}")
HEAD = 8
LENGTH = 36
UUIDS = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# MariaDB finds an id in capitals, too, which all of us would take for no id.
ANY_CASE = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
TAILS_ANY_CASE = re.compile(
    rb"-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-(?<=[0-9A-Fa-f]{8}-.{15})[0-9A-Fa-f]{12}")


def ids(data: bytes) -> list[str]:
    """The different UUIDs in some bytes, in order of appearance."""
    return list(dict.fromkeys(data[found.start() - HEAD:found.end()].decode() for found in TAILS.finditer(data)))


def have_capitals(data: bytes) -> bool:
    """Whether one of the UUIDs in some bytes has a capital letter."""
    found = (data[each.start() - HEAD:each.end()] for each in TAILS_ANY_CASE.finditer(data))
    return any(each != each.lower() for each in found)


def lowered(text: str) -> str:
    """A text that is a UUID, or a link that ends in one, with that in small letters; any other text as it is."""
    last = text[-LENGTH:]
    if not ANY_CASE.fullmatch(last) or text[-LENGTH - 1:-LENGTH] not in ("", "/"):
        return text
    return text[:-LENGTH] + last.lower()


def swap(data: bytes, mapping: dict[str, str]) -> bytes:
    """Replace UUIDs, all at once: a swapped-in id is not looked at again."""
    if not mapping:
        return data
    table = {old.encode(): new.encode() for old, new in mapping.items()}
    return UUIDS.sub(lambda found: table.get(found[0], found[0]), data)
