"""A stand-in cloud by hand: prints where it is, writes tricircle.conf and clouds.yaml, runs until interrupted."""
import argparse
import signal
from pathlib import Path

from tests.functional.standin import settings
from tests.functional.standin.cloud import Cloud
from tests.functional.standin.identity import PASSWORD

PORTS = {"admin": 19999, "compute": 19998, "volume": 19997, "network": 9696}


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.functional.standin", description=__doc__)
    parser.add_argument("--pods", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path(".standin"), help="where the files go")
    parser.add_argument("--offset", type=int, default=0, help="added to the gateway's ports")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    ports = {name: port + args.offset for name, port in PORTS.items()}
    cloud = Cloud(args.pods, ports={name: ports[name] for name in ports})
    conf = settings.write(cloud, args.folder.resolve(), ports)
    print(f"keystone  {cloud.auth_url}")
    for pod in cloud:
        print(f"{pod.name}      nova {pod.compute.server.url}  neutron {pod.network.server.url}  "
              f"cinder {pod.volume.server.url}")
    print(f"users     {', '.join(cloud.identity.users)} (password {PASSWORD})")
    print(f"tokens    admin {cloud.token('admin').id}")
    print(f"          alice {cloud.token('alice').id}")
    print(f"gateway   tricircle db upgrade --config-file {conf} && tricircle serve --config-file {conf}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    cloud.close()


if __name__ == "__main__":
    main()
