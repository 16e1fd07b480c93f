"""Every kind of damage is named in words, and put right."""
import pytest

from tests.functional.drift import Damage, drift, words
from tests.functional.scene import Scene


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
