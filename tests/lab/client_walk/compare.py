"""What one way printed beside what the other one did: ids, zones, links and times aside."""
import json
import re
from collections.abc import Mapping
from typing import Any

from tests.lab.client_walk.table import Said, Step

# In this order. Zones are `nova` in the pods, and an external network's is a pod's name in the big region.
PATTERNS = [(re.compile(pattern), told) for pattern, told in (
    (r"https?://[^\s'\"]+", "URL"),
    (r"req-[0-9a-f-]{36}", "REQUEST"),
    (r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-f])", "ID"),
    (r"(?<![0-9a-f])[0-9a-f]{32,64}(?![0-9a-f])", "ID"),
    (r"(?<![0-9a-f:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![0-9a-f:])", "MAC"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?", "TIME"),
    (r"(?<![\d.])\d+\.\d+\.\d+\.\d+(?![\d./])", "ADDRESS"),
    (r"(?<=\{outside\}\.)\d+(?![\d./])", "ADDRESS"),
    (r"fd00:51::[0-9a-f:]+", "ADDRESS"),
    (r"(?<![\w-])host(?:-[0-9a-f]+)*-(?:[0-9a-f]+|-)+", "NAME"),   # of an address
    (r"ports still attached: .*", "ports still attached: PORTS"),
    (r"instance-[0-9a-f]{8}", "INSTANCE"),
    (r"(?<![\w-])r-[0-9a-z]{8}(?![\w-])", "RESERVATION"),
    (r"(?<![\w-])(?:nova|az1|az2)(?![\w-])", "ZONE"),
    (r"(?<![\w-])(?:RegionOne|Pod1|Pod2)(?![\w-])", "ZONE"))]
# What moves by itself: counters, and figures of the whole machine.
MOVING = re.compile(r"revision.number|segmentation.id|uptime|load.average|host.time|current.workload|running.vms|"
                    r"vcpus|memory|local.gb|free|disk.available|users|progress|seconds|hours|heartbeat|updated.at|"
                    r"rxtx|capacity.gb|auth.key|adminpass|service.uuid|shared.targets|(old|new) flavor|"
                    r"ip.allocation.*used|usage|standard.attr.id|configuration|availability.zones$|"
                    r"^(segment|available|used|(minimum|maximum)( id)?)$", re.IGNORECASE)


def plain(value: Any, names: Mapping[str, str]) -> Any:
    """A document without what is another one each time.

    Args:
        value: as printed.
        names: placeholders and what they stand for.
    """
    known = sorted(((text, name) for name, text in names.items() if len(text) > 2 and name != "zone"),
                   key=lambda pair: -len(pair[0]))
    # Names begin with the prefix; a number is none within a longer word.
    found = [(re.compile(rf"(?<![0-9A-Za-z]){re.escape(text)}" + (r"(?![0-9A-Za-z])" if text[-1].isalnum() else "")),
              f"{{{name}}}") for text, name in known]
    return _plain(value, found)


def _plain(value: Any, known: list[tuple[re.Pattern, str]]) -> Any:
    if isinstance(value, dict):
        # Where names are ids, as those of port security groups, they are as changeable as values.
        return {_words(key, known): "MOVING" if MOVING.search(key) else _plain(each, known)
                for key, each in _numbered(value).items()}
    if isinstance(value, list):
        return sorted((_plain(each, known) for each in value), key=lambda each: json.dumps(each, sort_keys=True))
    return _words(value, known) if isinstance(value, str) else value


def _numbered(record: dict) -> dict:
    """A record without its number: each pod counts by itself."""
    return {key: "NUMBER" if key.lower() == "id" and isinstance(value, int) else value for key, value in record.items()}


def _words(text: str, known: list[tuple[re.Pattern, str]]) -> str:
    for pattern, told in [*known, *PATTERNS]:
        text = pattern.sub(told, text)
    return text


def own(rows: Any, names: Mapping[str, str]) -> Any:
    """Of a list the rows that name something of the walk."""
    if not isinstance(rows, list):
        return rows
    marks = [text for name, text in names.items()
             if len(text) > 2 and not text.isdigit() and name not in ("zone", "hint", "outer", "image")]
    return [row for row in rows if any(mark in json.dumps(row) for mark in marks)]


def told(step: Step, said: Said, names: Mapping[str, str]) -> dict:
    """What counts of what came of a step."""
    out = said.out if step.how == "whole" else own(said.out, names)
    out = plain(out, names)
    if step.how == "whole" and isinstance(out, list):
        out = [json.loads(each) for each in sorted({json.dumps(row, sort_keys=True) for row in out})]
    if step.how == "keys" and isinstance(out, dict):
        out = sorted(out)
    return {"code": said.code, "out": out, "error": plain(said.error, names)}


def difference(direct: Any, through: Any, place: str = "") -> list[str]:
    """Lines that say where two documents differ, the pod's own first."""
    if isinstance(direct, dict) and isinstance(through, dict):
        return [line for key in sorted({*direct, *through}, key=str)
                for line in difference(direct.get(key, "(none)"), through.get(key, "(none)"), f"{place}.{key}")]
    if isinstance(direct, list) and isinstance(through, list) and len(direct) == len(through):
        return [line for index, pair in enumerate(zip(direct, through, strict=True))
                for line in difference(*pair, f"{place}[{index}]")]
    if isinstance(direct, list) and isinstance(through, list):
        sides = (("at the pod", direct, through), ("through the gateway", through, direct))
        return [f"{place}: only {which}: {json.dumps(row)}" for which, rows, others in sides
                for row in rows if row not in others]
    return [] if direct == through else [f"{place}: {json.dumps(direct)} != {json.dumps(through)}"]
