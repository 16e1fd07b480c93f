"""A pod that answers at once: what is measured is the way to it. `python -m tests.bench.backend PORT`."""
import asyncio
import json
import re
import sys
import uuid

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
SERVER = {
    "id": "", "name": "vm1", "status": "ACTIVE", "tenant_id": "0" * 32, "user_id": "1" * 32, "metadata": {},
    "hostId": "2" * 56, "image": {"id": str(uuid.uuid4())}, "flavor": {"id": "1", "links": []},
    "created": "2025-01-01T00:00:00Z", "updated": "2025-01-01T00:00:00Z", "progress": 0, "accessIPv4": "",
    "accessIPv6": "", "config_drive": "", "key_name": None, "OS-DCF:diskConfig": "MANUAL",
    "addresses": {"net1": [{"version": 4, "addr": f"10.0.0.{n}", "OS-EXT-IPS:type": "fixed",
                            "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01"} for n in range(2)]},
    "OS-EXT-AZ:availability_zone": "nova", "OS-SRV-USG:launched_at": "2025-01-01T00:00:00.000000",
    "OS-SRV-USG:terminated_at": None, "OS-EXT-STS:task_state": None, "OS-EXT-STS:vm_state": "active",
    "OS-EXT-STS:power_state": 1, "os-extended-volumes:volumes_attached": [{"id": str(uuid.uuid4())}],
    "security_groups": [{"name": "default"}]}


def server(id: str, root: str) -> dict:
    """A server as Nova shows it."""
    links = [{"rel": "self", "href": f"{root}/v2.1/servers/{id}"}, {"rel": "bookmark", "href": f"{root}/servers/{id}"}]
    return {**SERVER, "id": id, "links": links}


class Pod(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""
        self.root = "http://{}:{}".format(*transport.get_extra_info("sockname")[:2])

    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            found = LENGTH.search(self.buffer, 0, end + 2)
            length = int(found[1]) if found else 0
            if len(self.buffer) < end + 4 + length:
                return
            method, path, _ = self.buffer[:self.buffer.index(b"\r\n")].decode().split(" ")
            self.buffer = self.buffer[end + 4 + length:]
            self.answer(method, *path.partition("?")[::2])

    def answer(self, method, path, query):
        """What ends with /slow takes three seconds, and so do lists that look for that name."""
        last = path.rsplit("/", 1)[-1]
        if query.startswith("name=slow"):
            asyncio.get_running_loop().call_later(3, self.send, 200, {"servers": []})
        elif path.endswith("/slow"):
            asyncio.get_running_loop().call_later(3, self.send, 200, {})
        elif method == "POST" and last == "networks":
            self.send(201, {"network": {"id": str(uuid.uuid4()), "name": "n", "project_id": "0" * 32}})
        elif "/servers/" in path:
            self.send(200, {"server": server(last, self.root)})
        else:
            self.send(200, {})

    def send(self, status, document):
        body = json.dumps(document).encode()
        self.transport.write(b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nX-Openstack-Request-Id: req-1\r\n"
                             b"Vary: X-Auth-Token\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))


async def main(port: int) -> None:
    """Serve."""
    made = await asyncio.get_running_loop().create_server(Pod, "127.0.0.1", port, backlog=2048)
    await made.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
