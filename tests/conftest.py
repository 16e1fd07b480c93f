"""Settings for all tests."""
import pytest
from hypothesis import HealthCheck, settings

# A loaded machine must not fail a test: no deadlines. The same examples each time: a failure can be repeated.
settings.register_profile("tricircle", deadline=None, derandomize=True,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("tricircle")

# Helpers that assert: without this a failure of theirs says AssertionError and nothing more.
pytest.register_assert_rewrite("tests.functional.scene", "tests.functional.client", "tests.functional.refusals")
