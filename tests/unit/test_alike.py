"""The plan that makes a pod's flavor, keypair, type or QoS specs like the others': carried out, nothing is left."""
import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tricircle.crosspod.alike import State, _calls
from tricircle.crosspod.bring import ROUNDS
from tricircle.crosspod.shapes import SHAPES, Shape

WORDS = st.sampled_from(["a", "b", "c"])
PARTS = {"extra_specs": st.dictionaries(WORDS, WORDS), "group_specs": st.dictionaries(WORDS, WORDS),
         "specs": st.dictionaries(WORDS, WORDS), "flavor_access": st.lists(WORDS, unique=True),
         "volume_type_access": st.lists(WORDS, unique=True), "qos_associations": st.lists(WORDS, unique=True),
         "": st.none() | st.fixed_dictionaries({"provider": WORDS, "cipher": WORDS, "encryption_id": WORDS})}


@st.composite
def states(draw, shape: Shape):
    """A thing as a pod may have it; None: not at all."""
    fields = {field for _, field in (*shape.create, *shape.update)}
    optional = "description"
    record = {field: draw(st.none() | WORDS if field == optional else WORDS) for field in sorted(fields)}
    return draw(st.none() | st.builds(State, st.just(record), st.fixed_dictionaries(
        {part.field: PARTS[part.field] for part in shape.parts})))


class Pod:
    """Does what the calls say, as Nova and Cinder do: they refuse to make what is there and to drop what is not."""

    def __init__(self, shape: Shape, state: State | None):
        self.shape, self.state = shape, copy.deepcopy(state)

    def do(self, method: str, suffix: str, body):
        parts = self.state.parts if self.state else None
        if not suffix and method == "POST":
            assert self.state is None
            record = {field: body[self.shape.member].get(name) for name, field in self.shape.create}
            record |= {field: record.get(field) for _, field in self.shape.update}
            self.state = State(record, {part.field: None for part in self.shape.parts})
        elif not suffix and method == "DELETE":
            self.state = None
        elif not suffix:
            change = body[self.shape.member]
            for name, field in self.shape.update:
                if name in change:
                    self.state.record[field] = change.pop(name)
                    assert self.state.record[field] is not None
            parts["specs"] = (parts.get("specs") or {}) | change if change else parts.get("specs")
        elif "extra_specs" in suffix or "group_specs" in suffix:
            self._specs("group_specs" if "group" in suffix else "extra_specs", method, suffix, body)
        elif suffix == "/delete_keys":
            for name in body["keys"]:
                del parts["specs"][name]
        elif suffix.startswith("/encryption"):
            assert (method == "POST") == (not parts[""])
            parts[""] = None if method == "DELETE" else (parts[""] or {}) | body["encryption"]
        else:
            self._members(suffix, body)

    def _specs(self, field, method, suffix, body):
        specs = self.state.parts[field] = self.state.parts[field] or {}
        if method == "DELETE":
            del specs[suffix.rsplit("/", 1)[-1]]
        else:
            specs.update(body[field])

    def _members(self, suffix, body):
        field = next(part.field for part in self.shape.parts if part.only)
        members = self.state.parts[field] = self.state.parts[field] or []
        verb, item = re.match(r"/(associate|disassociate)\?vol_type_id=(.*)", suffix).groups() if not body else next(
            (name, next(iter(value.values()))) for name, value in body.items())
        if verb.startswith(("add", "associate")):
            assert item not in members
            members.append(item)
        else:
            members.remove(item)


def same(one, two):
    """Whether two states mean the same to a user."""
    if one is None or two is None:
        return one is two

    def clean(parts):
        return {name: sorted(value) if isinstance(value, list) else
                {k: v for k, v in value.items() if k != "encryption_id"} for name, value in parts.items() if value}
    records = [{name: value or "" for name, value in state.record.items()} for state in (one, two)]
    return records[0] == records[1] and clean(one.parts) == clean(two.parts)


@pytest.mark.parametrize("kind", SHAPES)
@given(data=st.data())
def test_a_pod_ends_like_the_others(kind, data):
    shape = SHAPES[kind]
    wanted, pod = data.draw(states(shape)), Pod(shape, data.draw(states(shape)))
    for _ in range(ROUNDS):
        for call in _calls(shape, wanted, pod.state):
            pod.do(*copy.deepcopy(call))
    assert same(pod.state, wanted)
    assert _calls(shape, wanted, pod.state) == []
