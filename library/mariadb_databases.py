#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Databases, each with the one account that may use it."""
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: mariadb_databases
short_description: MariaDB databases with their accounts
description:
  - Talks to the server through its socket as root. An account is right when its password opens its database.
options:
  databases:
    description: List of C(name), C(user) and C(password).
    type: list
    elements: dict
    required: true
  socket:
    description: The server's socket.
    type: path
    default: /run/mysqld/mysqld.sock
"""

EXAMPLES = r"""
- name: The database of one service
  mariadb_databases:
    databases:
      - {name: placement, user: placement, password: "{{ placement_database_password }}"}
"""

RETURN = r"""
made:
  description: Databases that were made or whose account was set right.
  returned: always
  type: list
"""

HOST = "localhost"


def usable(pymysql, socket, database):
    """Tell whether the account opens its database."""
    try:
        pymysql.connect(unix_socket=socket, user=database["user"], password=database["password"],
                        database=database["name"]).close()
    except pymysql.err.OperationalError:
        return False
    return True


def ensure(cursor, database):
    """Make a database and give it to its account."""
    name = database["name"].replace("`", "")
    account = (database["user"], HOST)
    cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb3")
    cursor.execute("CREATE USER IF NOT EXISTS %s@%s", account)
    cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (*account, database["password"]))
    cursor.execute(f"GRANT ALL ON `{name}`.* TO %s@%s", account)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "databases": {"type": "list", "elements": "dict", "required": True, "no_log": True},
            "socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
        },
        supports_check_mode=True,
    )
    try:
        import pymysql
    except ImportError:
        module.fail_json(msg="the Python package pymysql is missing (Debian: python3-pymysql)")
    socket = module.params["socket"]
    missing = [database for database in module.params["databases"] if not usable(pymysql, socket, database)]
    if missing and not module.check_mode:
        with pymysql.connect(unix_socket=socket, user="root") as server, server.cursor() as cursor:
            for database in missing:
                ensure(cursor, database)
    module.exit_json(changed=bool(missing), made=[database["name"] for database in missing])


if __name__ == "__main__":
    main()
