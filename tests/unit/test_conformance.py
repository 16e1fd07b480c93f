"""The judge of OpenStack's own tests: what counts as passed, and what the table says."""
import pytest
from tests.conformance.table import broken, exceptions, table
from tests.conformance.tempest import FAILED, PASSED, SKIPPED, judge

NAME = "tempest.api.compute.servers.test_x.XTest.test_"


def test_a_test_without_an_outcome_has_failed():
    assert judge([f"{NAME}a[id-1,smoke]"], {}) == {f"{NAME}a": FAILED}


def test_a_class_that_skips_skips_its_tests_and_one_that_breaks_fails_them():
    class_name = NAME.rpartition(".")[0]
    tests = [f"{NAME}a[id-1]", f"{NAME}b[id-2]"]
    assert set(judge(tests, {f"setUpClass ({class_name})": "skip"}).values()) == {SKIPPED}
    assert set(judge(tests, {f"setUpClass ({class_name})": "fail"}).values()) == {FAILED}
    assert judge(tests, {tests[0]: "success", f"tearDownClass ({class_name})": "fail"})[f"{NAME}a"] == PASSED


def test_only_what_passes_at_the_pod_is_due():
    results = {"pod": {f"{NAME}a": PASSED, f"{NAME}b": PASSED, f"{NAME}c": FAILED, f"{NAME}d": PASSED},
               "two": {f"{NAME}a": PASSED, f"{NAME}b": FAILED, f"{NAME}c": FAILED, f"{NAME}d": SKIPPED}}
    assert broken(results, {}) == {"two": [f"{NAME}b", f"{NAME}d"]}
    assert broken(results, {f"{NAME}b": "reason"}) == {"two": [f"{NAME}d"]}
    rows = [list(column.cells) for column in table(results, {f"{NAME}b": "reason"}).columns]
    assert [cells[0] for cells in rows] == ["compute", "4", "3", "1/2", "1"]


def test_an_exception_needs_a_reason():
    assert exceptions("# words\n\nx.y  # why\n") == {"x.y": "why"}
    with pytest.raises(ValueError, match=r"x\.y"):
        exceptions("x.y\n")
