"""A user of the gateway with a project of his own, and short words for what users do."""
import itertools
import uuid

IMAGE = "11111111-2222-4333-8444-555555555555"     # Glance is no part of the stand-ins: any UUID is an image
NUMBERS = itertools.count(1)


class User:
    """Somebody with a token.

    Args:
        gateway: running.
        who: a Token, a standing user's name, or None for a new user in a new project.
    """

    def __init__(self, gateway, who=None):
        self.token = gateway.cloud.token(who) if isinstance(who, str) else who or gateway.cloud.identity.newcomer()
        self.gateway, self.project = gateway, self.token.project.id
        self.admin, self.compute, self.volume, self.network = (
            gateway.client(service, self.token) for service in ("admin", "compute", "volume", "network"))

    def make(self, collection, **fields):
        """POST to one of Neutron's collections; the member."""
        member = collection.replace("-", "_").rstrip("s")
        return self.network.ok("POST", f"/{collection}", {member: fields})[member]

    def net(self, zone=None, **fields):
        """A network's id."""
        hints = {"availability_zone_hints": [zone]} if zone else {}
        return self.make("networks", **{"name": f"net{next(NUMBERS)}", **hints, **fields})["id"]

    def subnet(self, network, cidr=None):
        """A subnet's id; its CIDR is unused so far."""
        number = next(NUMBERS)
        cidr = cidr or f"10.{number // 250}.{number % 250}.0/24"
        return self.make("subnets", network_id=network, ip_version=4, cidr=cidr)["id"]

    def wired(self, zone=None):
        """A network with a subnet: (network id, subnet id)."""
        network = self.net(zone)
        return network, self.subnet(network)

    def boot(self, network=None, zone=None, headers=None, **fields):
        """A server's id."""
        body = {"name": f"vm{next(NUMBERS)}", "imageRef": IMAGE, "flavorRef": flavor(self.gateway), **fields}
        body["networks"] = [{"uuid": network}] if network else "none"
        if zone:
            body["availability_zone"] = zone
        headers = headers or {"OpenStack-API-Version": "compute 2.37"}
        return self.compute.ok("POST", "/servers", {"server": body}, headers=headers)["server"]["id"]

    def disk(self, zone=None, **fields):
        """A volume's id."""
        body = {"size": 1, **fields, **({"availability_zone": zone} if zone else {})}
        return self.volume.ok("POST", "/volumes", {"volume": body})["volume"]["id"]

    def key(self, name=None):
        """A keypair's name."""
        name = name or f"key{next(NUMBERS)}"
        body = {"name": name, "public_key": f"ssh-ed25519 {uuid.uuid4().hex} {name}"}
        return self.compute.ok("POST", "/os-keypairs", {"keypair": body})["keypair"]["name"]


def reader_of(user) -> User:
    """Somebody who may look at a user's project, and change nothing there."""
    identity, name = user.gateway.cloud.identity, f"reader{next(NUMBERS)}"
    identity.user(name, {user.token.project.name: ["reader"]})
    return User(user.gateway, name)


def flavor(gateway) -> str:
    """Id of a flavor that every pod of the gateway's cloud has."""
    if "tiny" not in gateway.cloud["Pod1"].compute.shelf("flavors"):
        body = {"name": "tiny", "id": "tiny", "ram": 64, "vcpus": 1, "disk": 1}
        gateway.client("compute", "admin").ok("POST", "/flavors", {"flavor": body})
    return "tiny"


def holders(cloud, service, shelf, id) -> list[str]:
    """Names of the pods that have a row with this id."""
    return [pod.name for pod in cloud if id in getattr(pod, service).shelf(shelf)]
