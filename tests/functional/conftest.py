"""Fixtures of the functional tests: one cloud and one gateway a session, made whole after each test."""
import pytest

from tests.functional.gateway import Gateway
from tests.functional.outside import Outside
from tests.functional.standin import Cloud

# Files that take longest, a file being one processor's: begun last, one of them is what all others wait for at the end.
LONGEST = ("test_process", "test_worker_killed", "test_worker_router", "test_lists", "test_mounts", "test_pools",
           "test_shared", "test_moving", "test_streams", "test_catch_up", "test_worker_outside", "test_worker_shadow",
           "test_random_walk")


def pytest_collection_modifyitems(items):
    """The longest files first."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONGEST)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure tells what the processes said and which jobs there are: CI keeps nothing else of it."""
    outcome = yield
    report, gateway = outcome.get_result(), item.funcargs.get("gateway")
    if report.failed and gateway:
        report.sections += gateway.story().items()


@pytest.fixture(scope="session")
def cloud():
    """A stand-in Keystone and two pods."""
    made = Cloud(2)
    yield made
    made.close()


@pytest.fixture(scope="session")
def gateway(cloud, tmp_path_factory):
    """`tricircle serve` with RegionOne, Pod1 (az1) and Pod2 (az2) registered."""
    made = Gateway(cloud, tmp_path_factory.mktemp("gateway"))
    made.start().register()
    yield made
    made.stop()


@pytest.fixture
def external(cloud, gateway):
    """Makes external networks in pods (see Outside) for the time of a test."""
    made = []

    def make(pod="Pod2"):
        made.append(Outside(gateway, pod))
        return made[-1]

    yield make
    for each in made:
        each.vanish(cloud)


@pytest.fixture
def outside(external):
    """An external network in Pod2."""
    return external()


@pytest.fixture
def worker(gateway):
    """`tricircle worker` for the time of a test."""
    made = gateway.worker()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def whole(request):
    """After each test: every fault off, no breaker open, no job left for the next one's worker."""
    yield
    used = "cloud" in request.fixturenames and request.getfixturevalue("cloud").recover()
    if "gateway" in request.fixturenames:
        gateway = request.getfixturevalue("gateway")
        gateway.forget_jobs()
        if used and gateway.api.running:
            gateway.settle()
