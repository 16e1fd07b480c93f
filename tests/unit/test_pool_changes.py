"""Changes of subnet pools that take two steps, of which the second fails."""
from ipaddress import ip_network
from types import SimpleNamespace

import pytest

from tricircle.api import subnetpools
from tricircle.errors import BadGateway, PodUnreachable, Unavailable


@pytest.mark.parametrize(("error", "done"), [
    (Unavailable("away"), ["add_prefixes", "remove_prefixes"]),
    (PodUnreachable("Pod1", "network", "away"), ["add_prefixes", "remove_prefixes"]),
    (BadGateway("it may have joined"), ["add_prefixes"])])
def test_prefixes_that_nobody_has_joined_are_taken_out(monkeypatch, error, done):
    steps = []

    def change(_gateway, _request, _path, action, _found):
        steps.append(action)
        return SimpleNamespace(status=200)

    def failing(*_):
        raise error

    monkeypatch.setattr(subnetpools, "_change", change)
    monkeypatch.setattr(subnetpools, "followed", failing)
    path, joining = SimpleNamespace(member="pool"), [ip_network("10.1.0.0/24")]
    with pytest.raises(type(error)):
        subnetpools._join(None, None, path, {"prefixes": []}, joining, apart=True)
    assert steps == done
