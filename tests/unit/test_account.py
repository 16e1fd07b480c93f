"""Where a pod's services are, of what the catalogue says."""
import pytest

from tricircle.upstream.account import root_of


@pytest.mark.parametrize(("url", "root"), [
    ("http://pod:8774/v2.1", "http://pod:8774"), ("http://pod:8774/v2.1/", "http://pod:8774"),
    ("http://pod:8776/v3/%(project_id)s", "http://pod:8776"), ("http://pod:8776/v3/$(project_id)s", "http://pod:8776"),
    ("http://pod:8776/v3/0123456789abcdef", "http://pod:8776"),
    ("http://pod:9696", "http://pod:9696"), ("http://pod:9696/", "http://pod:9696"),
    ("http://pod/compute/v2.1/%(project_id)s", "http://pod/compute"), ("https://pod/volume/v3", "https://pod/volume"),
    ("https://pod/networking", "https://pod/networking"), ("https://pod/networking/", "https://pod/networking"),
    ("http://pod/v1/compute/v2.1", "http://pod/v1/compute"), ("http://pod/v1cloud/compute", "http://pod/v1cloud/compute"),
    ("http://[fd00::1]:8774/v2.1", "http://[fd00::1]:8774"), ("https://[fd00::1]/compute/v2.1", "https://[fd00::1]/compute"),
    # A pod writes its links as the header Host had it: lower case, no default port.
    ("http://Pod1.Example:8774/v2.1", "http://pod1.example:8774"), ("http://[FD00::1]:80/v2.1", "http://[fd00::1]"),
    ("https://pod:443/compute/v2.1", "https://pod/compute"), ("http://pod:443/v2.1", "http://pod:443")])
def test_root_of(url, root):
    assert root_of(url) == root
