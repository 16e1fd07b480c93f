"""Tricircle's own account in Keystone: its token for plumbing and replicas, and the pods' endpoints."""
import re
import threading
import time

from keystoneauth1 import exceptions as ksa
from keystoneauth1 import session as ksa_session
from keystoneauth1.identity import v3
from oslo_config import cfg
from urllib3.util import parse_url

from tricircle.errors import EndpointMissing, Unavailable

# Keystone's service types, in the order in which a service's own names are tried.
SERVICE_TYPES = {"compute": ("compute",), "volume": ("block-storage", "volumev3"), "network": ("network",)}
# The last version in an endpoint's path and what follows it: /v2.1, /compute/v2.1/%(project_id)s, /v3/ ...
VERSION = re.compile(r"^(.*)/v\d+(\.\d+)?(/.*)?$")
DEFAULT_PORTS = {"http": 80, "https": 443}


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
        self._lock = threading.Lock()
        self._endpoints: dict[str, dict[str, str]] = {}
        self._read_at = 0.0

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
            self._read_at = 0.0

    def regions(self) -> dict[str, dict[str, str]]:
        """{region: {service: root URL}}, as `root_of` gives it: `http://pod:8774`. Raises as `token`."""
        with self._lock:
            if time.monotonic() - self._read_at > self._catalogue_seconds or not self._endpoints:
                self._endpoints = self._read_endpoints()
                self._read_at = time.monotonic()
            return self._endpoints

    def endpoint(self, region: str, service: str) -> str:
        """Root URL of a service in a region.

        Raises:
            EndpointMissing: the catalogue has none, even when read afresh.
            Unavailable: as `token`.
        """
        for attempt in range(2):
            found = self.regions().get(region, {}).get(service)
            if found:
                return found
            if attempt == 0:
                with self._lock:
                    self._read_at = 0.0
        raise EndpointMissing(region, service)

    def _read_endpoints(self) -> dict[str, dict[str, str]]:
        def get(path: str) -> list[dict]:
            url = self._conf.service_account.auth_url.rstrip("/") + path
            return self._ask(lambda: self._session.get(url)).json()[path.split("?")[0][1:]]

        types = {s["id"]: s["type"] for s in get("/services")}
        found: dict[str, dict[str, str]] = {}
        for endpoint in get(f"/endpoints?interface={self._conf.pods.interface}"):
            if not endpoint.get("enabled", True):
                continue
            for service, names in SERVICE_TYPES.items():
                if types.get(endpoint["service_id"]) in names:
                    found.setdefault(endpoint["region_id"], {})[service] = root_of(endpoint["url"])
        return found

    @staticmethod
    def _ask(call):
        try:
            return call()
        except ksa.ClientException as error:
            raise Unavailable(f"Keystone did not serve Tricircle's own account: {error}") from error


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
