"""Whose part a request takes."""
import pytest

from tricircle import config
from tricircle.api.channel import ENDS, PLACE, WAITS
from tricircle.api.door import Door
from tricircle.errors import TooMany
from tricircle.routing.caller import Identity


@pytest.fixture
def enter():
    """One request at a time is each one's part."""
    conf = config.load()
    conf.set_override("threads", 4, "api")
    conf.set_override("project_share", 0.25, "api")
    door = Door(conf)

    def enter(identity):
        environ = {"REQUEST_METHOD": "GET", ENDS: [], WAITS: False, PLACE: None}
        if identity:
            environ["tricircle.identity"] = identity
        door.enter("compute", environ)
    return enter


@pytest.mark.parametrize("scope", [{"domain_id": "d"}, {"system_scope": "all"}, {}])
def test_users_whose_tokens_are_for_no_project_do_not_share_a_part(enter, scope):
    enter(Identity("b", **scope))
    enter(Identity("a", **scope))
    enter(None)
    with pytest.raises(TooMany):
        enter(Identity("b", **scope))


def test_the_users_of_a_project_share_one(enter):
    enter(Identity("b", project_id="p"))
    with pytest.raises(TooMany):
        enter(Identity("a", project_id="p"))
