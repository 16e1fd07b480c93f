"""Run Tempest one way, and keep what came out."""
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
# Most scenarios log in to a guest, and here there is none: each of them would wait five minutes for it.
SCENARIOS = ("test_network_basic_ops.TestNetworkBasicOps.test_preserve_preexisting_port", "test_server_advanced_ops.",
             "test_server_multinode.", "test_server_volume_attachment.", "test_snapshots_with_add_location.",
             "test_unified_limits.")
# {group: how its tests' names begin}
GROUPS = {"compute": ("tempest.api.compute.",), "volume": ("tempest.api.volume.",),
          "network": ("tempest.api.network.",), "image": ("tempest.api.image.",),
          "neutron": ("neutron_tempest_plugin.api.",), "cinder": ("cinder_tempest_plugin.api.",),
          "identity": ("tempest.api.identity.",), "scenario": tuple(f"tempest.scenario.{each}" for each in SCENARIOS)}
# Tests of a class run one after the other, by one worker: they share what the class has made.
STESTR_CONF = "[DEFAULT]\ntop_dir={0}\ntest_path={0}/tempest/test_discover\ngroup_regex=([^\\.]*\\.)*\n"
BIN = Path(sys.executable).parent


def short(test: str) -> str:
    """A test's name without its UUID and tags: `tempest.api.x.Class.test_y`."""
    return test.split("[")[0]


class Way:
    """One way to the pods.

    Args:
        folder: with etc/tempest.conf, as playbooks/conformance.yml writes it.
    """

    def __init__(self, folder: Path):
        self.folder, self.name = folder, folder.name
        self._results = folder / "results.json"
        packages = Path(find_spec("tempest").origin).parents[1]
        (folder / ".stestr.conf").write_text(STESTR_CONF.format(packages))
        for name in ("lock", "logs"):
            (folder / name).mkdir(exist_ok=True)
        if not (folder / ".stestr").exists():
            self._stestr("init", check=True)

    def results(self) -> dict[str, str]:
        """{test: passed, failed or skipped} of all runs so far."""
        return json.loads(self._results.read_text()) if self._results.exists() else {}

    def listed(self, groups: Iterable[str], smoke: bool) -> list[str]:
        """The tests of some groups, with their tags."""
        found = self._stestr("list", capture_output=True, check=True, text=True).stdout.splitlines()
        starts = tuple(start for group in groups for start in GROUPS[group])
        return [test for test in found if test.startswith(starts) and (not smoke or "smoke" in test.partition("[")[2])]

    def run(self, tests: list[str], jobs: int) -> dict[str, str]:
        """Run tests and add what comes out to `results`.

        Args:
            tests: as `listed` gives them.
            jobs: processes.

        Returns:
            {test: outcome} of this run.
        """
        (self.folder / "wanted.txt").write_text("\n".join(tests) + "\n")
        self._stestr("run", f"--concurrency={jobs}", "--load-list=wanted.txt", check=False)
        stream = self._stestr("last", "--subunit", capture_output=True, check=False).stdout
        outcomes = judge(tests, read(stream))
        self._results.write_text(json.dumps(self.results() | outcomes, indent=1, sort_keys=True))
        return outcomes

    def _stestr(self, *words: str, **how) -> subprocess.CompletedProcess:
        path = f"{BIN}:{os.environ['PATH']}"
        return subprocess.run([str(BIN / "stestr"), *words], cwd=self.folder, **how,
                              env=os.environ | {"TEMPEST_CONFIG_DIR": "etc", "PATH": path})


def read(stream: bytes) -> dict[str, str]:
    """{test or `setUpClass (class)`: last status} of a subunit stream."""
    from subunit import ByteStreamToStreamResult
    from testtools import StreamToDict

    seen: dict[str, str] = {}
    result = StreamToDict(lambda test: seen.update({test["id"]: test["status"]}))
    result.startTestRun()
    ByteStreamToStreamResult(io.BytesIO(stream), non_subunit_name="stdout").run(result)
    result.stopTestRun()
    return seen


def judge(tests: list[str], seen: dict[str, str]) -> dict[str, str]:
    """An outcome for each test, also for those whose class never got ready: a class that skips skips its tests."""
    classes = {name.partition("(")[2].rstrip(")"): status for name, status in seen.items() if " (" in name}
    outcome = {"success": PASSED, "xfail": PASSED, "skip": SKIPPED}
    return {short(test): outcome.get(seen.get(test) or classes.get(short(test).rpartition(".")[0], ""), FAILED)
            for test in tests}
