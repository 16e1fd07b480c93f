"""A project of its own in the top region, made by its administrator (OS_*), and removed with all that it holds."""

import os
import secrets
import time

import openstack

SECONDS = 300


def make(admin, name):
    """A connection as the only member of a new project."""
    project = admin.identity.create_project(name=name, domain_id="default")
    login = {"username": name, "password": secrets.token_hex(16), "project_id": project.id}
    user = admin.identity.create_user(name=name, domain_id="default", password=login["password"])
    admin.identity.assign_project_role_to_user(project, user, admin.identity.find_role("member"))
    return openstack.connect(load_envvars=False, load_yaml_config=False, region_name=os.environ["OS_REGION_NAME"],
                             auth={**login, "auth_url": os.environ["OS_AUTH_URL"], "user_domain_id": "default"})


def remove(admin, name, external):
    """Remove it as its user would, then the user, an external network that was made for it, and itself.

    Args:
        external: name of that network.
    """
    project = admin.identity.find_project(name)
    if project:
        empty(admin, project.id)
        user = admin.identity.find_user(name)
        if user:
            admin.identity.delete_user(user)
    outside = admin.network.find_network(external)
    if outside:
        patiently(admin.network.delete_network, outside)
    if project:
        admin.identity.delete_project(project)


def empty(admin, project_id):
    """Everything of a project in the big region."""
    for server in list(admin.compute.servers(all_projects=True, project_id=project_id)):
        admin.compute.delete_server(server)
        admin.compute.wait_for_delete(server, wait=SECONDS)
    for address in list(admin.network.ips(project_id=project_id)):
        admin.network.delete_ip(address)
    for made in list(admin.network.routers(project_id=project_id)):
        for interface in list(admin.network.ports(device_id=made.id, device_owner="network:router_interface")):
            patiently(admin.network.remove_interface_from_router, made, port_id=interface.id)
        patiently(admin.network.delete_router, made)
    for network in list(admin.network.networks(project_id=project_id)):
        for each in list(admin.network.ports(network_id=network.id, project_id=project_id)):
            admin.network.delete_port(each)
        patiently(admin.network.delete_network, network)
    for group in list(admin.network.security_groups(project_id=project_id)):
        if group.name != "default":
            admin.network.delete_security_group(group)
            continue
        for rule in list(admin.network.security_group_rules(security_group_id=group.id)):
            admin.network.delete_security_group_rule(rule)


def patiently(call, *args, **more):
    """A floating IP that has just gone may be in a job's hands still, which holds what it needed."""
    for _ in range(30):
        try:
            return call(*args, **more)
        except openstack.exceptions.ConflictException as error:
            last = error
            time.sleep(2)
    raise last
