"""How many jobs are at work in one pod."""
import random
import threading
from collections import Counter

import pytest

from tricircle.jobs.slots import PodBusy, Slots


def test_never_more_than_so_many_are_in_a_pod_and_nobody_waits_for_ever():
    slots, inside, most, lock, dice = Slots(2, 60), Counter(), Counter(), threading.Lock(), random.Random(7)
    wanted = [dice.sample(["a", "b", "c"], dice.randint(1, 3)) for _ in range(60)]

    def work(pods):
        with slots.of(pods):
            with lock:
                inside.update(pods)
                most.update({pod: max(0, inside[pod] - most[pod]) for pod in pods})
            threading.Event().wait(0.001)
            with lock:
                inside.subtract(pods)

    threads = [threading.Thread(target=work, args=(pods,)) for pods in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert most == {"a": 2, "b": 2, "c": 2}


def test_a_full_pod_is_named_and_other_pods_are_not_kept_from_others():
    slots = Slots(1, 0.01)
    with slots.of({"a": ["steps"]}):
        with pytest.raises(PodBusy, match=r"1 jobs are at work in pod a:"), slots.of(["a", "b"]):
            pass
        with slots.of(["b"]):
            pass
    with slots.of({"b": [], "a": []}):
        pass


def test_room_is_given_back_by_a_job_that_fails():
    slots = Slots(1, 0.01)
    with pytest.raises(ValueError), slots.of(["a"]):  # noqa: PT011
        raise ValueError
    with slots.of(["a"]):
        pass


def test_none_is_no_limit():
    slots = Slots(0, 0.01)
    with slots.of(["a"]), slots.of(["a"]):
        pass
