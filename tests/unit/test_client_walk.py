"""The walk of the `openstack` client: no command is forgotten, and what differs by nature is not a difference."""
from tests.lab.client_walk import compare, table
from tests.lab.client_walk.table import Said


def test_every_command_is_walked_or_excused():
    assert table.forgotten(table.commands()) == []


def test_an_excuse_is_needed():
    excuses, known = table.excused(), table.commands()
    assert [each for each in excuses if not any(
        command == each or (each.endswith(" *") and command.startswith(each[:-1])) for command in known)] == []


def test_every_step_names_a_command():
    known = set(table.commands())
    assert [step.line for topic in table.TOPICS for step in table.walk(topic)
            if not table._longest(step.command, known)] == []


def test_a_line_of_a_walk():
    step, = table.steps("# words\n[until status=available] !vol = volume show {p}x 'a b'\n")
    assert (step.how, step.value, step.name, step.admin) == ("until", "status=available", "vol", True)
    assert step.words({"p": "mine-"}) == ["volume", "show", "mine-x", "a b"]
    assert table.steps("network show {net}")[0].words(table.Names()) == ["network", "show", "missing-net"]


NAMES = {"net": "0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f", "p": "walk-1-", "zone": "az1"}
OTHERS = {"net": "1a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f", "p": "walk-2-", "zone": "nova"}


def seen(how, out, names, code=0, error=""):
    """What counts of an outcome."""
    return compare.told(table.steps(f"[{how}] network list")[0], Said(code, out, error), names)


def test_ids_names_zones_times_and_counters_are_no_difference():
    def row(names, others):
        return {"ID": names["net"], "Name": f"{names['p']}net", "Zones": [names["zone"]], "revision_number": others,
                "created_at": f"2026-11-29T22:00:0{others}Z", "link": f"http://10.0.0.{others}/v2",
                "peer": str(others) * 32}
    assert seen("", [row(NAMES, 1)], NAMES) == seen("", [row(OTHERS, 2)], OTHERS)
    assert seen("", [row(NAMES, 1)], NAMES) != seen("", [row(OTHERS, 2) | {"Name": "walk-2-nte"}], OTHERS)
    assert seen("", [], NAMES) != seen("", [row(OTHERS, 2)], OTHERS)


def test_others_things_count_where_the_whole_list_does():
    rows = [{"ID": NAMES["net"]}, {"Name": "another"}]
    assert seen("", rows, NAMES) == seen("", rows[:1], NAMES)
    assert seen("whole", rows, NAMES) != seen("whole", rows[:1], NAMES)
    assert seen("whole", [*rows, *rows], NAMES) == seen("whole", rows, NAMES)


def test_a_difference_tells_its_place():
    direct = {"code": 0, "out": [{"name": "a", "more": 1}]}
    assert compare.difference(direct, {"code": 0, "out": [{"name": "b"}]}) == [
        '.out[0].more: 1 != "(none)"', '.out[0].name: "a" != "b"']
