"""Whose word a proxy's headers are, and by what clients are counted."""
import subprocess
import sys
from pathlib import Path

import pytest

from tricircle import config
from tricircle.addresses import client, members, network


@pytest.mark.parametrize(("written", "inside", "outside"), [
    ("10.0.0.1", ["10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1"], ["10.0.0.2", "::10.0.0.1", "", "localhost"]),
    ("10.0.0.0/30", ["10.0.0.0", "10.0.0.3", "::ffff:10.0.0.2"], ["10.0.0.4"]),
    ("::ffff:10.0.0.0/126", ["10.0.0.3", "::ffff:10.0.0.2"], ["10.0.0.4"]),
    ("2001:db8::1", ["2001:db8::1", "2001:DB8:0:0::1"], ["2001:db8::2", "10.0.0.1"]),
    ("2001:db8::/64", ["2001:db8::ffff:1"], ["2001:db8:0:1::1"]),
    ("fe80::/10", ["fe80::1%eth0"], []),
    ("0.0.0.0/0", ["192.0.2.1", "::ffff:192.0.2.1"], ["2001:db8::1"])])
def test_who_is_in_a_network(written, inside, outside):
    trusted = members([network("192.168.7.7"), network(written)])
    assert [address for address in inside if not trusted(address)] == []
    assert [address for address in outside if trusted(address)] == []


@pytest.mark.parametrize("one", ["10.0.0.1", "::ffff:10.0.0.1"])
def test_an_ipv4_client_is_its_address(one):
    assert client(one) == "10.0.0.1"


def test_an_ipv6_client_is_its_network():
    """He has 2^64 addresses, each of which would have connections of its own."""
    assert client("2001:db8::1") == client("2001:db8::2:3") == "2001:db8::/64"
    assert client("2001:db8:0:1::1") != client("2001:db8::1")


@pytest.mark.parametrize(("option", "value"), [
    ("trusted_proxy", "haproxy.example"), ("trusted_proxy", "*"), ("trusted_proxy", "10.0.0.1/24"),
    ("threads", "many")])
def test_a_wrong_value_ends_the_command_with_its_name(tmp_path, option, value):
    """And not each API process, one after the other for ever."""
    file = tmp_path / "tricircle.conf"
    file.write_text(f"[DEFAULT]\nstate_path = {tmp_path}\n[api]\n{option} = {value}\n")
    done = subprocess.run([Path(sys.executable).with_name("tricircle"), "serve", "--config-file", str(file)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert option in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_several_are_a_list(tmp_path):
    file = tmp_path / "tricircle.conf"
    file.write_text("[api]\ntrusted_proxy = 10.0.0.1, 2001:db8::/64\n")
    assert [str(each) for each in config.load(str(file)).api.trusted_proxy] == ["10.0.0.1/32", "2001:db8::/64"]
    assert config.load().api.trusted_proxy == []
