"""What Nova says of networks that are not there, and what only looks like it."""
import json

import pytest

from tricircle.api.message import Response
from tricircle.api.needs import _networks_missed as missed

ONE, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def refusal(message, kind="badRequest"):
    """Nova's answer."""
    return Response.of_json(400, {kind: {"code": 400, "message": message}})


@pytest.mark.parametrize("ids", [[ONE], [ONE, OTHER], [OTHER, ONE]])
def test_networks_that_are_not_there_are_read(ids):
    assert missed(refusal(f"Network {', '.join(ids)} could not be found.")) == set(ids)


@pytest.mark.parametrize("answer", [
    refusal(f"Invalid input for field/attribute 0. Value: {{'uuid': '{ONE}', 'bogus': 1}}. Additional properties"),
    refusal(f"Invalid input for field/attribute name. Value: Network {ONE} could not be found.. is too long"),
    refusal(f"Network {ONE} could not be found.\n"),
    refusal(f"Network {ONE} could not be found. Really"),
    refusal(f"Network {ONE} requires a subnet in order to boot instances on."),
    refusal(f"Network {ONE}x could not be found."),
    refusal("Network  could not be found."),
    refusal(f"Network {ONE} could not be found.", "itemNotFound"),
    refusal([f"Network {ONE} could not be found."]),
    Response.of_json(400, [ONE]), Response.of_json(400, {"badRequest": ONE}),
    Response(400, [], f"Network {ONE} could not be found.".encode()), Response(400, [], b"\xff")])
def test_any_other_words_move_nothing(answer):
    assert missed(answer) == set()


def test_a_body_that_is_no_text_is_nothing():
    assert missed(Response(400, [], json.dumps(None).encode())) == set()
