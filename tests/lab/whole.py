"""What clients of the big region must not notice, against the running lab: `python -m tests.lab.whole`.

One ordinary user, who also knows the second pod's own API. One line for each; exit status 1 when one does not hold.
OS_* are those of the top region's administrator.
"""
import sys
import time

import openstack
from tests.lab import project

NAME, PATIENCE = "whole", 120


def until(condition, what, seconds=PATIENCE):
    """Wait for a condition; its value."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.5)
    return found


def lists_are_whole(user, there):
    """A volume that was made straight at the second pod is listed and counted in the big region."""
    made = [user.block_storage.create_volume(size=1, availability_zone="az1"),
            there.block_storage.create_volume(size=1)]
    wanted = {each.id for each in made}
    until(lambda: {each.id for each in user.block_storage.volumes()} == wanted, "both are listed", 10)
    assert user.block_storage.get_limits().absolute.total_volumes_used == 2
    for volume in made:
        until(lambda each=volume: user.block_storage.get_volume(each).status == "available", "it is available")
        user.block_storage.delete_volume(volume)
    until(lambda: not list(user.block_storage.volumes()), "they are gone")


def bulk_creates_are_split(user, _):
    """Networks of two zones in one request; and none of them where one is refused."""
    zoned = [{"name": f"whole-{zone}", "availability_zone_hints": [zone]} for zone in ("az1", "az2")]
    answer = user.network.post("/networks", json={"networks": zoned})
    made = answer.json()["networks"]
    assert [network["availability_zones"] for network in made] in ([["az1"], ["az2"]], [[], []]), made
    assert [network["name"] for network in made] == ["whole-az1", "whole-az2"]
    for network in made:
        user.network.delete_network(network["id"])
    refused = user.network.post("/networks", json={"networks": [*zoned, {**zoned[1], "mtu": "x"}]})
    assert refused.status_code == 400, refused.text
    assert not [each for each in user.network.networks() if each.name.startswith("whole-")]


def networks_move_on(user, _):
    """To the zone of a first server, and on to another one when nothing uses it any more; in use it stays."""
    network = user.network.create_network(name="whole-moves")
    user.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.71.0.0/24")
    for zone, other in (("az2", "az1"), ("az1", "az2")):
        server = boot(user, network, zone)
        user.compute.wait_for_server(server, wait=PATIENCE)
        assert "in use" in refusal(lambda zone=other: boot(user, network, zone))
        user.compute.delete_server(server)
        user.compute.wait_for_delete(server, wait=PATIENCE)
        until(lambda gone=server.id: not list(user.network.ports(network_id=network.id, device_id=gone)), "no port")
    user.network.delete_network(network)


def refusal(call):
    """What the answer 400 to a call says; empty for another one."""
    try:
        call()
    except openstack.exceptions.BadRequestException as error:
        return str(error)
    return ""


def boot(user, network, zone):
    """A server of the flavor that was made for it."""
    flavor = next(each for each in user.compute.flavors() if each.name == NAME)
    image = next(each for each in user.image.images() if each.name == "guest")
    return user.compute.create_server(name="whole", image_id=image.id, flavor_id=flavor.id, availability_zone=zone,
                                      networks=[{"uuid": network.id}])


def tidy(admin):
    """Nothing is left of this, or of a run that was broken off."""
    project.remove(admin, NAME, f"{NAME}-outside")
    flavor = admin.compute.find_flavor(NAME)
    if flavor:
        admin.compute.delete_flavor(flavor)


CHECKS = (lists_are_whole, bulk_creates_are_split, networks_move_on)


def main():
    """Run all of them as a new user."""
    admin = openstack.connect(load_yaml_config=False)
    tidy(admin)
    admin.compute.create_flavor(name=NAME, ram=256, vcpus=1, disk=1)
    user = project.make(admin, NAME)
    there = openstack.connect(load_envvars=False, load_yaml_config=False, region_name="Pod2",
                              auth=user.config.config["auth"])
    failed = False
    try:
        for check in CHECKS:
            begun = time.monotonic()
            try:
                check(user, there)
            except (AssertionError, openstack.exceptions.SDKException) as error:
                failed = True
                print(f"BROKEN  {check.__doc__}\n        {error}")
            else:
                print(f"holds   {check.__doc__} ({time.monotonic() - begun:.0f} s)")
    finally:
        tidy(admin)
    sys.exit(failed)


if __name__ == "__main__":
    main()
