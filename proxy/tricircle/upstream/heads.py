"""Heads of requests and answers that are plain: written, and understood, in one piece.

http.client hands each header of a request through half a dozen functions, and reads those of an answer with the parser
for e-mail: more than the rest of a call to a pod. What is not plain (folded lines, odd names, lengths that are none or
two) is left to http.client.
"""
import functools
import re
from collections.abc import Mapping
from typing import NamedTuple

NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"   # a token of RFC 9110 5.6.2
VALUE = r"[\t -~\x80-\xff]*"             # no control characters: nothing ends the line, and nothing is folded
IS_TOKEN, IS_VALUE = re.compile(NAME).fullmatch, re.compile(VALUE).fullmatch
IS_TARGET = re.compile(r"/[!-~]*").fullmatch
HEAD = re.compile(rf"HTTP/1\.1 ([2-5]\d\d) ({VALUE})\r\n((?:{NAME}:{VALUE}\r\n)+)\r\n".encode("latin-1"))
BODILESS = (204, 304)
INITIALS = ("C", "c", "T", "t")   # of the headers that `parse` looks at
LINE = re.compile(r"([^:\r]+):[ \t]*([^\r]*)\r\n")   # applied only to what HEAD has matched
IS_LENGTH = re.compile(r"[0-9]{1,18}").fullmatch   # int() raises from 4300 digits on
LONGEST_NAME = 64   # a thousand names are remembered, which are the users'
MOST_HEADERS = 99   # http.client counts the empty line, too
# http.client and urllib3 add NEEDED headers where they are missing; FRAMING headers are written by `head` itself.
NEEDED = frozenset({"accept-encoding", "user-agent"})
FRAMING = frozenset({"host", "content-length", "transfer-encoding", "expect"})


@functools.lru_cache(maxsize=1024)
def _lowered(name: str) -> str | None:
    """A header's name in lower case; None when it is none."""
    return name.lower() if IS_TOKEN(name) else None


def head(method: str, target: str, host: str, headers: Mapping[str, str], length: int | None) -> bytes | None:
    """The head of a request.

    Args:
        method, target: of the first line.
        host: with the port, where it is not the default one.
        headers: all others, but for the length.
        length: of the body; None: there is none, and none is expected.

    Returns:
        Bytes; None for what is not plain.
    """
    if any(len(name) > LONGEST_NAME for name in headers):
        return None
    names = set(map(_lowered, headers))
    if None in names or not names >= NEEDED or names & FRAMING or not (IS_TOKEN(method) and IS_TARGET(target)):
        return None
    try:
        if not IS_VALUE("".join(headers.values())):   # joined: a bad character in any value makes the whole fail
            return None
    except TypeError:   # bytes, a number
        return None
    framing = "" if length is None else f"Content-Length: {length}\r\n"
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n{framing}{lines}\r\n".encode("latin-1")


class Fields:
    """Headers of an answer: what urllib3.HTTPHeaderDict offers to read them, for a tenth of its time.

    Args:
        pairs: (name, value) of each.
    """

    __slots__ = ("_pairs",)

    def __init__(self, pairs: list[tuple[str, str]]):
        self._pairs = pairs

    def items(self) -> list[tuple[str, str]]:
        """Return all of them; repeated ones stand alone."""
        return self._pairs

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the value of a header, of repeated ones with commas between."""
        name = name.lower()
        found = [value for each, value in self._pairs if each.lower() == name]
        return ", ".join(found) if found else default

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None



class Head(NamedTuple):
    """The head of an answer whose body is framed in one clear way.

    Args:
        status: HTTP status.
        reason: the words behind it.
        pairs: (name, value) of each header.
        length: of the body in bytes; None: it comes in chunks.
        encoded: whether the body has a content encoding.
        json: whether it is JSON: anything else may pass through.
        closes: whether the connection is of no use after it.
        end: where the body begins.
    """

    status: int
    reason: str
    pairs: list[tuple[str, str]]
    length: int | None
    encoded: bool
    json: bool
    closes: bool
    end: int


def parse(data: bytes) -> Head | None:
    """Read the head of an answer.

    Args:
        data: what has come in so far.

    Returns:
        None for a head that is not whole or not plain.
    """
    seen = HEAD.match(data)
    if not seen or int(seen[1]) in BODILESS:
        return None
    pairs = LINE.findall(seen[3].decode("latin-1"))
    framing, encoded, json, closes = [], False, False, False
    for name, value in pairs:
        if not name.startswith(INITIALS):
            continue
        lower = name.lower()
        if lower == "content-length" or lower == "transfer-encoding":
            framing.append((lower, value))
        elif lower == "connection" and "close" in value.lower():
            closes = True
        elif lower == "content-encoding":
            encoded = True
        elif lower == "content-type":
            json = "json" in value.lower()
    if len(pairs) > MOST_HEADERS or len(framing) != 1:
        return None
    (name, value), = framing
    chunked = name == "transfer-encoding" and value.lower() == "chunked"
    if not chunked and not (name == "content-length" and IS_LENGTH(value)):
        return None
    return Head(int(seen[1]), seen[2].decode("latin-1").strip(), pairs, None if chunked else int(value), encoded,
                json, closes, seen.end())
