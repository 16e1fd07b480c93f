"""Tricircle's own account in Keystone: its token for plumbing and replicas, and the pods' endpoints."""
import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from keystoneauth1 import exceptions as ksa
from keystoneauth1 import session as ksa_session
from keystoneauth1.identity import v3
from oslo_config import cfg
from urllib3.util import parse_url

from tricircle.errors import EndpointMissing, Unavailable

LOG = logging.getLogger(__name__)
# Keystone's service types, in the order in which a service's own names are tried.
SERVICE_TYPES = {"compute": ("compute",), "volume": ("block-storage", "volumev3"), "network": ("network",)}
# The last version in an endpoint's path and what follows it: /v2.1, /compute/v2.1/%(project_id)s, /v3/ ...
VERSION = re.compile(r"^(.*)/v\d+(\.\d+)?(/.*)?\Z")
DEFAULT_PORTS = {"http": 80, "https": 443}
# A Keystone that does not answer is left alone for so long, as is a catalogue that lacks what is looked for: a region
# that is gone would else be asked for with each request, and a silent Keystone hold up one thread after the other.
PAUSE_SECONDS = 1.0


class Account:
    """Logs in lazily and again when the token is about to end.

    Args:
        conf: groups `service_account` and `pods` are read.
    """

    def __init__(self, conf: cfg.ConfigOpts):
        own = conf.service_account
        self._conf, self._catalogue_seconds = conf, conf.pods.catalogue_seconds
        self._auth = v3.Password(auth_url=own.auth_url, username=own.username, password=own.password,
                                 project_name=own.project_name, user_domain_name=own.user_domain_name,
                                 project_domain_name=own.project_domain_name)
        self._session = ksa_session.Session(auth=self._auth, timeout=conf.pods.connect_deadline * 2,
                                            verify=own.cafile or True)
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._endpoints: dict[str, dict[str, str]] = {}
        self._roots: dict[tuple[str, str], str] = {}
        self._read_at = self._stale_at = self._down_until = 0.0
        self._why = ""

    def token(self) -> str:
        """A valid token of the service account.

        Raises:
            Unavailable: Keystone does not answer, or refuses the account.
        """
        with self._lock:
            return self._ask(self._session.get_token)

    def project_id(self) -> str:
        """Id of the project that owns the bridge networks. Raises as `token`."""
        with self._lock:
            return self._ask(self._session.get_project_id)

    def refresh(self) -> None:
        """Throw the token and the endpoints away (a pod answered 401, or moved)."""
        with self._lock:
            self._session.invalidate()
            self._read_at = self._stale_at = self._down_until = 0.0

    def regions(self, anew: bool = False) -> dict[str, dict[str, str]]:
        """{region: {service: root URL}}, as `root_of` gives it: `http://pod:8774`. Raises as `token`.

        What was read last holds while Keystone does not answer, and while it is read again: no request waits for a
        Keystone that it does not need.

        Args:
            anew: whether to wait for a fresh look.
        """
        if anew or not self._endpoints:
            return self._read(lambda: not anew)
        if time.monotonic() > self._stale_at and not self._reading.locked():
            threading.Thread(target=self._read, args=(lambda: time.monotonic() < self._stale_at,), daemon=True).start()
        return self._endpoints

    def endpoint(self, region: str, service: str) -> str:
        """Root URL of a service in a region.

        Raises:
            EndpointMissing: the catalogue has none, even when read afresh.
            Unavailable: as `token`.
        """
        asked = time.monotonic()
        found = self.regions().get(region, {}).get(service) or self._read(
            lambda: self._read_at > asked - PAUSE_SECONDS).get(region, {}).get(service)
        if not found:
            raise EndpointMissing(region, service)
        self._roots[region, service] = found
        return found

    def root(self, region: str, service: str) -> str:
        """What `endpoint` gave last: an answer is of the pod that was asked, whatever the catalogue says by now."""
        return self._roots.get((region, service)) or self.endpoint(region, service)

    def _read(self, fresh: Callable[[], bool]) -> dict[str, dict[str, str]]:
        """Read the endpoints, unless they are fresh by now, or Keystone has failed a moment ago."""
        with self._reading:
            if self._endpoints and (fresh() or time.monotonic() < self._down_until):
                return self._endpoints
            try:
                self._endpoints = self._read_endpoints()
                self._read_at = time.monotonic()
                self._stale_at = self._read_at + self._catalogue_seconds
            except Unavailable as error:
                if not self._endpoints:
                    raise
                LOG.warning("Keystone's catalogue is believed as it was: %s", error)
                self._stale_at = time.monotonic() + PAUSE_SECONDS
            return self._endpoints

    def _read_endpoints(self) -> dict[str, dict[str, str]]:
        def get(path: str) -> list[dict]:
            url = self._conf.service_account.auth_url.rstrip("/") + path
            return self._ask(lambda: self._session.get(url).json()[path.split("?")[0][1:]])

        types = {s["id"]: s["type"] for s in get("/services")}
        found: dict[str, dict[str, str]] = {}
        for endpoint in get(f"/endpoints?interface={self._conf.pods.interface}"):
            if not endpoint.get("enabled", True):
                continue
            for service, names in SERVICE_TYPES.items():
                if types.get(endpoint["service_id"]) in names:
                    found.setdefault(endpoint["region_id"], {})[service] = root_of(endpoint["url"])
        return found

    def _ask(self, call: Callable[[], Any]) -> Any:
        known = self._auth.auth_ref   # with a token that is good Keystone is asked for nothing
        spent = known is None or known.will_expire_soon(self._auth.MIN_TOKEN_LIFE_SECONDS)
        if spent and time.monotonic() < self._down_until:
            raise Unavailable(self._why)
        try:
            return call()
        except (ksa.ClientException, ValueError, KeyError) as error:   # a balancer's page is no JSON
            self._down_until = time.monotonic() + PAUSE_SECONDS
            self._why = f"Keystone did not serve Tricircle's own account: {error}"
            raise Unavailable(self._why) from error


def root_of(url: str) -> str:
    """An endpoint without version and slash, its host spelled as the pod spells it in links.

    A pod takes its links from the header Host, which has the host in lower case and no default port.

    Args:
        url: of an endpoint: `http://Pod:80/compute/v2.1/%(project_id)s` gives `http://pod/compute`.
    """
    path = VERSION.sub(r"\1", "/" + url.partition("://")[2].partition("/")[2].rstrip("/")).rstrip("/")
    place = parse_url(url.partition("%(")[0].partition("$(")[0])
    port = "" if place.port in (None, DEFAULT_PORTS.get(place.scheme)) else f":{place.port}"
    return f"{place.scheme}://{place.host}{port}{path}"
