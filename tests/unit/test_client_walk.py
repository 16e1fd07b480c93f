"""The walk of the `openstack` client: no command is forgotten, and what differs by nature is not a difference."""
from tests.lab.client_walk import table


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
