"""Put the openstack.cloud collection where Ansible finds it, without Galaxy.

    python tools/collection.py TARGET

The `ansible` package on PyPI carries the collection. Only its own folder is taken out of the wheel: the rest is
half a gigabyte that nothing here uses.
"""
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "ansible==14.5.0"          # holds openstack.cloud 2.6.0, the first that works with openstacksdk >= 4.15
FOLDER = "ansible_collections/openstack/cloud/"


def main(target: Path) -> None:
    """Unpack the collection below `target` (an ANSIBLE_COLLECTIONS_PATH entry), unless it is there.

    Args:
        target: folder that gets `ansible_collections/openstack/cloud`.

    Raises:
        subprocess.CalledProcessError: pip could not fetch the wheel.
    """
    if (target / FOLDER / "MANIFEST.json").exists():
        return
    with tempfile.TemporaryDirectory() as where:
        # The wheel asks for a newer Python than ansible-core 2.19 does; the collection itself does not care.
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--python-version", "3.12",
                        "--only-binary=:all:", "-d", where, WHEEL], check=True)
        wheel = next(Path(where).glob("*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target, [n for n in archive.namelist() if n.startswith(FOLDER)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
