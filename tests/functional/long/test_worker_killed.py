"""kill -9 of the worker, and of all that it has started, between every two steps of a job."""
from tests.functional.deaths import work_and_die
from tests.functional.scene import Scene


def test_killed_after_each_write_whose_answer_is_lost(cloud, gateway):
    """Building: network, subnet, port, interface, route in each pod; undoing: route, interface, replica, network."""
    scene = Scene(cloud, gateway)
    before = scene.traces()
    scene.change("add")
    assert work_and_die(scene) >= 5
    scene.assert_built_once()
    scene.change("remove")
    assert work_and_die(scene) >= 4
    scene.assert_gone()
    assert scene.traces() == before
