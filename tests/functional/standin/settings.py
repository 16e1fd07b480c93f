"""tricircle.conf and clouds.yaml for a stand-in cloud."""
import json
from pathlib import Path

from tests.functional.standin.cloud import Cloud
from tests.functional.standin.identity import PASSWORD

CONF = """[DEFAULT]
debug = {debug}
state_path = {folder}/state

[api]
bind_host = {bind_host}
admin_port = {ports[admin]}
compute_port = {ports[compute]}
volume_port = {ports[volume]}
network_port = {ports[network]}
processes = {processes}
threads = {threads}
project_share = {project_share}
{api}

[keystone_authtoken]
www_authenticate_uri = {auth_url}
auth_url = {auth_url}
auth_type = password
username = tricircle
password = {password}
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = RegionOne
interface = internal
service_token_roles = service
service_token_roles_required = true
{authtoken}

[service_account]
auth_url = {auth_url}
username = tricircle
password = {password}
project_name = service
{account}

[pods]
deadline = {deadline}
list_deadline = {list_deadline}
connect_deadline = {connect_deadline}
breaker_failures = {breaker_failures}
breaker_seconds = {breaker_seconds}
{pods}

[bridge]
max_routes = 1000

[metrics]
port = {metrics_port}
"""
# Most tests are about what one user's requests do to each other: that user may have all threads.
DEFAULTS = {"project_share": 1.0,
            "processes": 2, "threads": 16, "deadline": 10, "list_deadline": 3, "connect_deadline": 2,
            "breaker_failures": 5, "breaker_seconds": 1, "bind_host": "127.0.0.1", "debug": "true", "api": "",
            "authtoken": "", "account": "", "pods": "", "metrics_port": 0}


def write(cloud: Cloud, folder: Path, ports: dict[str, int], **changed) -> Path:
    """Write both files.

    Args:
        cloud: where Keystone and the pods are.
        folder: must exist.
        ports: of the gateway: admin, compute, volume, network.
        changed: what differs from DEFAULTS; `api`, `authtoken`, `account`, `pods`: more lines of a section.

    Returns:
        Path of tricircle.conf.
    """
    values = {**DEFAULTS, **changed}
    conf = folder / "tricircle.conf"
    conf.write_text(CONF.format(folder=folder, ports=ports, auth_url=cloud.auth_url, password=PASSWORD, **values))
    login = {"auth_url": cloud.auth_url, "password": PASSWORD, "user_domain_name": "Default",
             "project_domain_name": "Default"}
    service = {**login, "username": "tricircle", "project_name": "service"}
    clouds = {name: {"auth": service, "region_name": name, "identity_api_version": 3}
              for name in ("RegionOne", *cloud.pods)}
    # JSON is YAML.
    (folder / "clouds.yaml").write_text(json.dumps({"clouds": clouds}, indent=2) + "\n")
    for path in (conf, folder / "clouds.yaml"):
        path.chmod(0o600)
    return conf
