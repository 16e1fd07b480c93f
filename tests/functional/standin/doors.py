"""Spellings that real pods take for a plain path: what `tricircle.routing.doors` closes must be open here.

Sources: see there.
"""
import re

NEUTRON = re.compile(r"^/v2\.0/(?:(?:qos|metering|log|floatingips|routers)/(?=(?:networks|security.groups|subnets)\b))?"
                     r"([a-z_-]+)")


def neutron(path: str) -> str:
    """Neutron: any format on an extension's path, dashes or not, any prefix, the name of a controller's method."""
    if path.endswith("/") and path not in ("/", "/v2.0/"):
        path = path[:-1]
    path = re.sub(r"(?<=[a-z])\.(json|foo|map)$", "", re.sub(r"(/index)+$", "", path).removesuffix(".json"))
    found = NEUTRON.match(path)
    if found:
        name = found[1] if found[1].startswith("availability") else found[1].replace("_", "-")
        path = f"/v2.0/{name}{path[found.end():]}"
    path = re.sub("^/v2.0/(policies(?!/[^/]+/tags)|rule-types)", r"/v2.0/qos/\1", path)
    return re.sub("[0-9A-Fa-f-]{36}(?= |$|/)", lambda match: match[0].lower(), path).rstrip(" ")


def nova(path: str) -> str:
    """Nova: a second name for servers."""
    return re.sub("^(/v2.1(?:/[0-9a-f-]+)?)/os-volumes_boot", r"\1/servers", path)


def cinder(path: str) -> str:
    """Cinder: `.json`."""
    return path.removesuffix(".json")
