"""Documentation that is wrong fails here."""
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tricircle.api.admin import ROUTES
from tricircle.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ADMINISTRATION = (ROOT / "docs" / "administration.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page):
    known = set(re.findall(r"^([a-z-]+):", "".join(path.read_text() for path in (
        ROOT / "Makefile", ROOT / "lab.mk", ROOT / "verify.mk")), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)`", page.read_text())) - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_exist(page):
    named = re.findall(r"`((?:roles|playbooks|inventories|tests|library|proxy|docs)/[\w./-]+)`", page.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_every_admin_call_is_documented():
    calls = [f"{method} /v1.0/{path.replace('<', '{').replace('>', '}')}" for method, path, _, _ in ROUTES]
    assert [call for call in calls if f"`{call}`" not in ADMINISTRATION] == []


def test_every_command_has_help_and_is_documented():
    def commands(group, prefix):
        for name, command in group.commands.items():
            if isinstance(command, click.Group):
                yield from commands(command, f"{prefix} {name}")
            else:
                yield f"{prefix} {name}", command

    pages = "".join(page.read_text() for page in PAGES)
    for name, command in commands(main, "tricircle"):
        assert command.help, name
        assert name in pages, name


@pytest.mark.parametrize(("program", "sample"), [
    ("oslo-config-generator", "tricircle.conf.sample"), ("oslopolicy-sample-generator", "policy.yaml.sample")])
def test_samples_are_up_to_date(program, sample):
    made = subprocess.run([Path(sys.executable).with_name(program), "--namespace", "tricircle"],
                          capture_output=True, text=True, check=True).stdout
    assert made.strip() == (ROOT / "docs" / sample).read_text().strip(), \
        f"write it anew: {program} --namespace tricircle --output-file docs/{sample}"
