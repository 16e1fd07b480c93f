#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Regions, service accounts, services and endpoints of a Keystone."""
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: keystone_catalogue
short_description: Everything that a deployment registers in Keystone, in one call
description:
  - Makes what is missing and sets right what differs; a region's endpoint of a service has exactly the given address.
  - One call with one token: fifty endpoints with a task each take a minute.
options:
  auth:
    description: C(auth_url), C(username), C(password), C(project_name) and domain names of an administrator.
    type: dict
    required: true
  roles:
    description: Roles that shall exist.
    type: list
    elements: str
    default: []
  implied_roles:
    description: For a role, the one that it implies.
    type: dict
    default: {}
  project:
    description: Project of the service accounts.
    type: str
    default: service
  users:
    description: Password of each service account, by its name.
    type: dict
    default: {}
  user_roles:
    description: Roles of every service account on the project.
    type: list
    elements: str
    default: [admin, service]
  services:
    description: Type of each service, by its name.
    type: dict
    required: true
  endpoints:
    description: For each region, the address of each service by the service's name.
    type: dict
    required: true
  interfaces:
    description: Interfaces that get the address.
    type: list
    elements: str
    default: [public, internal, admin]
"""

EXAMPLES = r"""
- name: A pod's Nova
  keystone_catalogue:
    auth: "{{ keystone_admin_auth }}"
    services: {nova: compute}
    endpoints:
      Pod1: {nova: "http://192.0.2.24:8774/v2.1"}
"""

RETURN = r"""
changes:
  description: What was made or set right.
  returned: always
  type: list
"""


class Catalogue:
    """Compares Keystone with what is wanted and mends the difference (in check mode it only notes it)."""

    def __init__(self, module, identity):
        self.module = module
        self.params = module.params
        self.identity = identity
        self.changes = []

    def change(self, what, call, **arguments):
        """Note a change and make it; return what the call returned."""
        self.changes.append(what)
        return None if self.module.check_mode else call(**arguments)

    def by_name(self, kind, listing, names, make):
        """Return the things of a kind by name, those missing made by `make(name=...)`."""
        found = {thing.name: thing for thing in listing}
        for name in names:
            if name not in found:
                found[name] = self.change(f"{kind} {name}", make, name=name)
        return found

    def regions(self):
        """Make the regions."""
        have = {region.id for region in self.identity.regions()}
        for region in self.params["endpoints"]:
            if region not in have:
                self.change(f"region {region}", self.identity.create_region, id=region)

    def accounts(self, connect_as):
        """Make roles, project and service accounts; `connect_as(name, password)` tells whether a password works."""
        identity, project_name = self.identity, self.params["project"]
        roles = self.by_name("role", identity.roles(), self.params["roles"], identity.create_role)
        for prior, implied in self.params["implied_roles"].items():
            self.imply(roles[prior], roles[implied])
        project = self.by_name("project", identity.projects(domain_id="default"), [project_name],
                               lambda name: identity.create_project(name=name, domain_id="default"))[project_name]
        users = {user.name: user for user in identity.users(domain_id="default")}
        for name, password in self.params["users"].items():
            if name not in users:
                users[name] = self.change(f"user {name}", identity.create_user, name=name, password=password,
                                          domain_id="default")
            if not project or not users[name]:      # check mode: there is nothing to look into
                continue
            self.grant(project, users[name], roles)
            if not connect_as(name, password):
                self.change(f"password of {name}", identity.update_user, user=users[name], password=password)

    def imply(self, prior, implied):
        """Let one role imply another."""
        url = f"/roles/{prior.id}/implies/{implied.id}" if prior and implied else None
        if url and self.identity.head(url).status_code != 204:
            self.change(f"{prior.name} implies {implied.name}", self.identity.put, url=url)

    def grant(self, project, user, roles):
        """Give an account its roles on the project."""
        have = {assignment.role["id"] for assignment in
                self.identity.role_assignments(user_id=user.id, scope_project_id=project.id)}
        for role in self.params["user_roles"]:
            if roles[role] and roles[role].id not in have:
                self.change(f"role {role} of {user.name}", self.identity.assign_project_role_to_user,
                            project=project, user=user, role=roles[role])

    def services(self):
        """Make the services and return them by name."""
        identity, types = self.identity, self.params["services"]
        return self.by_name("service", identity.services(), types,
                            lambda name: identity.create_service(name=name, type=types[name]))

    def endpoints(self):
        """Make the endpoints; of several for one place only the first stays."""
        services = self.services()
        have = {}
        for endpoint in self.identity.endpoints():
            have.setdefault((endpoint.service_id, endpoint.region_id, endpoint.interface), []).append(endpoint)
        for region, addresses in self.params["endpoints"].items():
            for name, url in addresses.items():
                for interface in self.params["interfaces"]:
                    place = (services[name].id if services[name] else None, region, interface)
                    self.endpoint(f"endpoint {region} {name} {interface}", place, url, have.get(place, []))

    def endpoint(self, what, place, url, found):
        """Make one endpoint, or correct the address of the one found."""
        service, region, interface = place
        if not found:
            self.change(what, self.identity.create_endpoint, service_id=service, region_id=region,
                        interface=interface, url=url)
            return
        if found[0].url != url:
            self.change(what, self.identity.update_endpoint, endpoint=found[0], url=url)
        for extra in found[1:]:
            self.change(f"{what} (double)", self.identity.delete_endpoint, endpoint=extra)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "auth": {"type": "dict", "required": True, "no_log": True},
            "roles": {"type": "list", "elements": "str", "default": []},
            "implied_roles": {"type": "dict", "default": {}},
            "project": {"default": "service"},
            "users": {"type": "dict", "default": {}, "no_log": True},
            "user_roles": {"type": "list", "elements": "str", "default": ["admin", "service"]},
            "services": {"type": "dict", "required": True},
            "endpoints": {"type": "dict", "required": True},
            "interfaces": {"type": "list", "elements": "str", "default": ["public", "internal", "admin"]},
        },
        supports_check_mode=True,
    )
    try:
        import openstack
        from keystoneauth1.exceptions import Unauthorized
    except ImportError:
        module.fail_json(msg="the Python package openstacksdk is missing")

    auth = module.params["auth"]

    def connect_as(name, password):
        """Tell whether an account's password works."""
        account = openstack.connect(**{**auth, "username": name, "password": password,
                                       "project_name": module.params["project"]})
        try:
            account.authorize()
        except Unauthorized:
            return False
        except openstack.exceptions.SDKException as problem:
            if "401" not in str(problem):
                raise
            return False
        return True

    catalogue = Catalogue(module, openstack.connect(**auth).identity)
    catalogue.regions()
    catalogue.accounts(connect_as)
    catalogue.endpoints()
    module.exit_json(changed=bool(catalogue.changes), changes=catalogue.changes)


if __name__ == "__main__":
    main()
