"""Every kind of damage is named in words, and put right."""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.drift import Damage, drift, words
from tests.functional.scene import Scene

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def worker(gateway):
    """One for all of these tests."""
    made = gateway.worker()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def scene(cloud, gateway, worker):
    """A router that is built, and after each test is so again."""
    made = Scene(cloud, gateway)
    made.change("add")
    made.settle()
    return made


@pytest.mark.parametrize("kind", [name for name in vars(Damage) if not name.startswith("_")])
def test_damage_is_named_and_put_right(scene, kind):
    one = ("--router", scene.router)
    text = getattr(Damage(scene), kind)()
    code, report = drift(scene.gateway, *one)
    assert (code, report["unreachable"]) == (1, {})
    assert ("Pod2", text) in words(report)
    assert {each["pod"] for each in report["differences"]} == {"Pod2"}
    code, again = drift(scene.gateway, *one, "--repair")
    assert (code, again["differences"], words(again, "repaired")) == (0, [], words(report))
    scene.assert_built_once()
    mark = len(scene.cloud.log)
    assert drift(scene.gateway, *one, "--repair")[0] == 0
    assert scene.plumbing(mark) == []


def test_the_playbook_reports_only_in_check_mode_and_then_puts_it_back_once(scene):
    text = Damage(scene).delete_a_route()
    said, changed = play(scene, "--check", "-e", "pod=Pod2")
    assert (text in said, changed, scene.routes("Pod2")) == (True, 0, [])
    said, changed = play(scene, "-e", "pod=Pod1")
    assert (text in said, changed, scene.routes("Pod2")) == (False, 0, [])
    said, changed = play(scene)
    assert (text in said, changed) == (True, 1)
    scene.assert_built_once()
    assert play(scene)[1] == 0


def play(scene, *options):
    """(what playbooks/repair.yml says of the scene's router, how many tasks have changed something)."""
    inventory = scene.gateway.folder / "top.ini"
    inventory.write_text(f"[top]\ngate ansible_connection=local ansible_python_interpreter={sys.executable}\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, "playbooks/repair.yml",
         "-e", f"router={scene.router}", "-e", f"tricircle_venv={sys.prefix}", *options],
        env={**os.environ, "TRICIRCLE_CONFIG_FILE": str(scene.gateway.conf)}, cwd=ROOT, capture_output=True, text=True,
        timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, int(re.search(r"changed=(\d+)", done.stdout)[1])
