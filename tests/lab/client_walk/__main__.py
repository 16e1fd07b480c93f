"""Every command of the `openstack` client for compute, network and volume: through the big region, straight at a pod.

    python -m tests.lab.client_walk [--pod Pod1] [--topic network] [--versions none]

OS_* are those of the top region's administrator. Exit status 1 when anything that is printed differs.
"""
import os
import secrets
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import zip_longest
from multiprocessing import get_context

import click
import openstack
from tests.lab.client_walk.compare import difference, told
from tests.lab.client_walk.table import TOPICS, Said, Step
from tests.lab.client_walk.walker import Way, go

PODS = {"Pod1": "az1", "Pod2": "az2"}
OWN_ZONE = "nova"   # what the pods call theirs
VERSIONS = {"none": {}, "new": {"os-compute-api-version": "2.93", "os-volume-api-version": "3.70"}}
AGAIN = ("compute", "volume")   # Neutron has no microversions
SHOWN = 6


@click.command()
@click.option("--pod", "pods", multiple=True, type=click.Choice(list(PODS)), default=list(PODS), help="Which pods.")
@click.option("--topic", "topics", multiple=True, type=click.Choice(TOPICS), default=TOPICS, help="Which tables.")
@click.option("--versions", "versions", multiple=True, type=click.Choice(list(VERSIONS)), default=list(VERSIONS),
              help="With which microversions.")
@click.option("--jobs", default=4, show_default=True, help="Processes.")
def main(pods: tuple[str, ...], topics: tuple[str, ...], versions: tuple[str, ...], jobs: int) -> None:
    """Walk both ways to each pod, and print what differs."""
    scene = Scene()
    runs = [(pod, version, tuple(topic for topic in topics if version == "none" or topic in AGAIN))
            for version in versions for pod in pods]
    try:
        ways = [scene.ways(number, *run) for number, run in enumerate(runs)]
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            pending = [[pool.submit(go, way) for way in pair] for pair in ways]
            outcomes = [[each.result() for each in pair] for pair in pending]
    finally:
        scene.leave()
    wrong = sum(_print(run, *pair) for run, pair in zip(runs, outcomes, strict=True))
    click.echo(f"{sum(len(pair[0]) for pair in outcomes)} steps, {wrong} differ")
    sys.exit(wrong > 0)


def _print(run: tuple[str, str, tuple[str, ...]], direct: list[dict], through: list[dict]) -> int:
    wrong = 0
    for mine, other in zip_longest(direct, through):
        step = Step(**mine["step"])
        sides = [told(step, Said(**side["said"]), side["names"]) for side in (mine, other)]
        lines = [] if step.how == "differs" else difference(*sides)
        if lines:
            wrong += 1
            click.echo(f"{run[0]} {run[1]}: {step.line}\n    " + "\n    ".join(line[:400] for line in lines[:SHOWN]))
    return wrong


def connect(region: str) -> openstack.connection.Connection:
    """A connection as the administrator; OS_REGION_NAME would be the only region that it may name."""
    auth = {name: os.environ[f"OS_{name.upper()}"] for name in (
        "auth_url", "username", "password", "user_domain_name", "project_name", "project_domain_name")}
    return openstack.connect(load_envvars=False, load_yaml_config=False, region_name=region, auth=auth)


class Scene:
    """Projects and users of the walks."""

    def __init__(self):
        self._admin = connect(os.environ["OS_REGION_NAME"])
        self._password = secrets.token_hex(16)
        self._made = []
        self._tag = secrets.token_hex(2)

    def ways(self, number: int, pod: str, version: str, topics: tuple[str, ...]) -> tuple[Way, Way]:
        """The way straight to a pod, and the one through the big region."""
        pod_itself = connect(pod)
        backend = next(pod_itself.block_storage.backend_pools()).name.partition("#")[0]
        host = next(pod_itself.compute.hypervisors()).name
        # The hint of an external network names a pod in the big region.
        regions = ((pod, OWN_ZONE, OWN_ZONE), (os.environ["OS_REGION_NAME"], PODS[pod], pod))
        names = {"host": host, "backend": backend}
        return tuple(self._way(2 * number + side, *region, VERSIONS[version], topics, names)
                     for side, region in enumerate(regions))

    def _way(self, number: int, region: str, zone: str, outer: str, versions: dict, topics: tuple[str, ...],
             names: dict) -> Way:
        prefix = f"walk-{self._tag}-{number}-"
        mine, other = (self._project(prefix + word) for word in ("mine", "other"))
        users = [self._user(f"{prefix}{role}", mine, role) for role in ("member", "admin")]
        image = self._admin.image.find_image("guest")
        login = {"os-auth-url": os.environ["OS_AUTH_URL"], "os-identity-api-version": "3",
                 "os-password": self._password, "os-project-id": mine, "os-user-domain-name": "Default"}
        first = 1000 + 20 * number
        names = {**names, "project": mine, "other": other, "image": image.id, "outside": f"172.31.{100 + number}",
                 "first": str(first), "last": str(first + 9), "ram": "256", "more": "320"}
        # A pod's region has no identity and image service of its own.
        elsewhere = {"OS_IDENTITY_ENDPOINT_OVERRIDE": os.environ["OS_AUTH_URL"],
                     "OS_IMAGE_ENDPOINT_OVERRIDE": self._admin.endpoint_for("image")}
        return Way(region, zone, outer, prefix, login, *users, names, versions, elsewhere, topics)

    def _project(self, name: str) -> str:
        self._made.append(self._admin.identity.create_project(name=name, domain_id="default"))
        return self._made[-1].id

    def _user(self, name: str, project: str, role: str) -> str:
        user = self._admin.identity.create_user(name=name, domain_id="default", password=self._password)
        self._made.append(user)
        found = self._admin.identity.find_role(role)
        self._admin.identity.assign_project_role_to_user(project, user, found)
        return name

    def leave(self) -> None:
        """Delete them."""
        for made in reversed(self._made):
            (self._admin.identity.delete_user if "password_expires_at" in made else
             self._admin.identity.delete_project)(made)


if __name__ == "__main__":
    main()
