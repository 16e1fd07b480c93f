"""Print the paths that Nova, Cinder or Neutron registers, as the code says that is installed beside this Python.

    python tools/api_paths.py nova > tests/unit/paths/nova-zed.txt

One path a line, without version and project, `{}` for what its user fills in; before it, for Nova and Cinder, the
methods that there are. For each release that `tests/unit/test_paths.py` knows it was run with a Python that has the
service: on a node of the lab (Zed: `ssh node1 python3 - nova < tools/api_paths.py`), or in a virtual environment of its
own (`pip install nova==34.0.0 cinder==29.0.0 neutron==29.0.0`, of 2026.2). Nothing is asked, no database is needed.
"""
import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from unittest import mock

Paths = dict[str, set[str]]   # {path: methods}
CORE = ("networks", "subnets", "ports", "subnetpools")   # of Neutron: other definitions repeat them


def nova() -> Paths:
    """Nova's table of routes."""
    routes = importlib.import_module("nova.api.openstack.compute.routes").ROUTE_LIST
    found: Paths = {}
    for path, methods in routes:
        found.setdefault(_bare(path), set()).update(methods if isinstance(methods, dict) else ("GET",))
    return found


def cinder() -> Paths:
    """Cinder's routes, of its core and of all extensions; those alone whose controller has the method."""
    importlib.import_module("cinder.objects").register_all()
    router = importlib.import_module("cinder.api.v3.router")
    importlib.import_module("oslo_config.cfg").CONF([], project="cinder", default_config_files=[])
    # They would ask the database.
    with mock.patch("cinder.rpc.RPCAPI.__init__", return_value=None), \
            mock.patch("cinder.db.base.Base.__init__", return_value=None):
        routes = router.APIRouter().map.matchlist
    found: Paths = {}
    for route in routes:
        controller, action = route.defaults.get("controller"), route.defaults.get("action", "")
        if controller is None or "(format)" in route.routepath or not (
                action == "action" or action in controller.wsgi_actions or hasattr(controller.controller, action)):
            continue
        methods = (route.conditions or {}).get("method") or ["GET"]
        path = _bare(re.sub(r"^/?[:{]\(?project_id[^/]*", "", route.routepath))
        found.setdefault(path, set()).update(methods)
    return found


def neutron() -> Paths:
    """Neutron's core, all of its extensions, and the resources that neutron-lib describes for other projects."""
    options = importlib.import_module("neutron.common.config")
    getattr(options, "register_common_config_options", lambda: None)()
    found = {path for name in CORE for path in _both(name)} | set(_of_definitions())
    extensions = list(_modules("neutron.extensions"))
    prefixes = {kind.get_plugin_type(): kind.path_prefix for module in extensions for kind in vars(module).values()
                if isinstance(getattr(kind, "path_prefix", None), str)}
    plugins = {name: mock.MagicMock(path_prefix=prefix) for name, prefix in prefixes.items()}
    anything = mock.MagicMock(path_prefix="")
    with mock.patch("neutron_lib.plugins.directory.get_plugin", lambda name="": plugins.get(name, anything)), \
            mock.patch("neutron_lib.rpc.get_notifier"):
        for module in extensions:
            found.update(_of_extension(module))
    prefixed = {path.split("/")[1]: path.split("/")[0] for path in found if re.match("[^/]+/[^/{]+$", path)}
    # A part of something is registered below its collection alone, wherever that is.
    return {path if "/{}/" not in path or "/" in path.split("/{}")[0] or path.split("/")[0] not in prefixed
            else f"{prefixed[path.split('/')[0]]}/{path}": set() for path in found}


def _modules(package: str) -> Iterator[ModuleType]:
    for each in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not each.name.startswith("_"):
            yield importlib.import_module(f"{package}.{each.name}")


def _of_extension(module: ModuleType) -> Iterator[str]:
    """Paths of a module of `neutron.extensions`, whose class has the module's name."""
    wanted = module.__name__.rpartition(".")[2].replace("_", "")
    for name, kind in vars(module).items():
        if name.lower().replace("_", "") != wanted or not hasattr(kind, "get_resources"):
            continue
        for each in kind().get_resources() or ():
            if each.collection in CORE and each.path_prefix:
                continue   # QoS has a field more for ports
            base = _below(each.path_prefix, each.parent, each.collection)
            yield from _both(base)
            yield from (f"{base}/{action}" for action in each.collection_actions)
            yield from (f"{base}/{{}}/{action}" for action in each.member_actions)


def _of_definitions() -> Iterator[str]:
    """Paths of neutron-lib's API definitions; what has no `id` there is a resource of another one, with fields more."""
    for module in _modules("neutron_lib.api.definitions"):
        prefix, described = getattr(module, "API_PREFIX", ""), getattr(module, "RESOURCE_ATTRIBUTE_MAP", None) or {}
        for name in (name for name, attributes in described.items() if "id" in attributes and name not in CORE):
            base = _below(prefix, None, name.replace("_", "-"))
            yield from _both(base)
            for member, actions in (getattr(module, "ACTION_MAP", None) or {}).items():
                if name.replace("-", "_") in (f"{member}s", f"{member[:-1]}ies"):
                    yield from (f"{base}/{{}}/{action}" for action in actions)
        for name, described in (getattr(module, "SUB_RESOURCE_ATTRIBUTE_MAP", None) or {}).items():
            if "parent" in described and "id" in described["parameters"]:
                yield from _both(_below(prefix, described["parent"], name))


def _below(prefix: str | None, parent: dict | None, collection: str) -> str:
    """Where a collection is; some name the collection of what it belongs to as their prefix, too."""
    above = parent["collection_name"].replace("_", "-") if parent else ""
    parts = [(prefix or "").strip("/"), above and f"{above}/{{}}", collection]
    return "/".join(part for part in parts[parts[0] == above:] if part)


def _both(collection: str) -> tuple[str, str]:
    return collection, f"{collection}/{{}}"


def _bare(path: str) -> str:
    return re.sub(r"\{[^}]*\}|:\w+|:\(\w+\)", "{}", path).strip("/")


if __name__ == "__main__":
    for path, methods in sorted(each for each in globals()[sys.argv[1]]().items() if each[0]):
        print(",".join(sorted(methods)), path) if methods else print(path)
