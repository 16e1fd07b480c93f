"""Whose orders go into which playbook, and that nobody waits for ever."""
import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from tricircle.errors import LeaseLost, TricircleError
from tricircle.jobs import dispatch
from tricircle.jobs.dispatch import Dispatcher, PodBusy, _Run
from tricircle.jobs.playbooks import Order, Outcome

DONE = Outcome([("step", 0.1, 200)])


def order(*pods, playbook="converge_router", lost=lambda: False):
    return Order(playbook, "name", Path("lease"), 1, {pod: [] for pod in pods}, lost)


def start(dispatcher, *orders):
    """Threads of jobs; {order: what came out of it} grows."""
    came = {}

    def work(each):
        try:
            dispatcher.carry_out(each, lambda pods: None)
            came[each] = dict(each.outcomes)
        except TricircleError as error:
            came[each] = error

    threads = [threading.Thread(target=work, args=(each,), daemon=True) for each in orders]
    for thread in threads:
        thread.start()
    return threads, came


def finish(threads):
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


class Playbooks:
    """In the place of Ansible: each run waits until it is told to go on."""

    def __init__(self):
        self.runs, self.changed = [], threading.Condition()
        self.go = threading.Event()

    def __call__(self, orders, heard):
        with self.changed:
            self.runs.append(orders)
            self.changed.notify_all()
        assert self.go.wait(60)
        self.tell(orders, heard)

    def tell(self, orders, heard, *pods):
        for each in orders:
            each.outcomes.update(dict.fromkeys(pods or each.steps, DONE))
        heard()

    def await_runs(self, number):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.runs) >= number, 60)


def test_an_order_is_over_as_soon_as_all_its_pods_have_told(monkeypatch):
    monkeypatch.setattr(dispatch, "LOOK_SECONDS", 3600)
    playbooks = Playbooks()
    playbooks.go.set()
    one = order("Pod1", "Pod2")
    threads, came = start(Dispatcher(playbooks, 1), one)
    finish(threads)
    assert came[one] == dict.fromkeys(one.steps, DONE)


def test_never_more_than_so_many_are_in_a_pod_and_nobody_waits_for_ever():
    inside, most, lock, dice = Counter(), Counter(), threading.Lock(), random.Random(7)

    def run(orders, heard):
        with lock:
            inside.update(pod for each in orders for pod in each.steps)
            most.update({pod: max(0, inside[pod] - most[pod]) for pod in inside})
        threading.Event().wait(0.001)
        with lock:
            inside.subtract(pod for each in orders for pod in each.steps)
        for each in orders:
            each.outcomes.update(dict.fromkeys(each.steps, DONE))
        heard()

    orders = [order(*dice.sample("abc", dice.randint(1, 3))) for _ in range(60)]
    threads, came = start(Dispatcher(run, 2, 60), *orders)
    finish(threads)
    assert all(came[each] == dict.fromkeys(each.steps, DONE) for each in orders)
    assert max(most.values()) == 2


def test_those_that_come_while_a_playbook_starts_go_together_into_the_next_one_of_their_kind():
    playbooks = Playbooks()
    dispatcher = Dispatcher(playbooks, 0, 60)
    threads, came = start(dispatcher, order("a"))
    playbooks.await_runs(1)
    later = [order("a"), order("b", "a"), order("c", playbook="converge_members"), order("b")]
    more, others = start(dispatcher, *later)
    await_waiting(dispatcher, len(later))
    playbooks.go.set()
    finish(threads + more)
    assert sorted(map(len, playbooks.runs)) == [1, 1, 3]
    assert all({each.playbook for each in run} == {run[0].playbook} for run in playbooks.runs)
    assert len(came | others) == 1 + len(later)


def test_a_playbook_begins_as_soon_as_the_one_before_has_come_to_its_steps():
    playbooks = Playbooks()
    dispatcher = Dispatcher(playbooks, 0, 60)
    one, _ = start(dispatcher, order("a"))
    playbooks.await_runs(1)
    two, _ = start(dispatcher, order("a"))
    await_waiting(dispatcher, 1)
    dispatcher._heard(dispatcher._runs[0])
    playbooks.await_runs(2)
    playbooks.go.set()
    finish(one + two)


def test_some_of_many_wait_for_the_room_of_all_unless_a_pod_is_slow(monkeypatch):
    playbooks = Playbooks()
    dispatcher = Dispatcher(playbooks, 2, 60)
    one, _ = start(dispatcher, order("a"))
    playbooks.await_runs(1)
    two, _ = start(dispatcher, order("a"), order("a"))
    await_waiting(dispatcher, 2)
    dispatcher._heard(dispatcher._runs[0])
    assert len(playbooks.runs) == 1
    monkeypatch.setattr("tricircle.jobs.dispatch.YOUNG_SECONDS", 0.0)
    playbooks.await_runs(2)   # by the look of those that wait for the first one
    assert list(map(len, playbooks.runs)) == [1, 1]
    playbooks.go.set()
    finish(one + two)


def test_an_order_ends_with_its_own_pods_and_not_with_the_playbook():
    quick, slow, released = order("a"), order("a", "b"), threading.Event()
    playbooks = Playbooks()

    def hung(orders, heard):
        playbooks.tell([each for each in orders if each is not slow], heard)
        playbooks.tell([each for each in orders if each is slow], heard, "a")
        assert released.wait(60)
        playbooks.tell(orders, heard)

    dispatcher = Dispatcher(hung, 0, 60)
    dispatcher._runs.append(blocker := _Run([], []))   # so that both go into one
    one, came = start(dispatcher, quick)
    other, never = start(dispatcher, slow)
    await_waiting(dispatcher, 2)
    dispatcher._heard(blocker)
    finish(one)
    assert came == {quick: {"a": DONE}}
    assert never == {}
    released.set()
    finish(other)
    assert never == {slow: {"a": DONE, "b": DONE}}


def await_waiting(dispatcher, number):
    with dispatcher._changed:
        assert dispatcher._changed.wait_for(lambda: len(dispatcher._waiting) == number, 60)


def test_a_full_pod_is_named_and_other_pods_are_not_kept_from_others():
    playbooks = Playbooks()
    dispatcher = Dispatcher(playbooks, 1, 0.01)
    threads, _ = start(dispatcher, order("a"))
    playbooks.await_runs(1)
    with pytest.raises(PodBusy, match="at work in a:"):
        dispatcher.carry_out(order("a", "b"), lambda pods: None)
    playbooks.go.set()
    finish(threads)
    dispatcher.carry_out(order("b"), lambda pods: None)
    dispatcher.carry_out(order("a", "b"), lambda pods: None)


@pytest.mark.parametrize("problem", [TricircleError("Keystone is away"), OSError("no space left")])
def test_a_playbook_that_breaks_is_told_to_all_its_jobs_and_gives_its_room_back(problem):
    def run(orders, heard):
        raise problem

    dispatcher = Dispatcher(run, 1, 60)
    for _ in range(3):
        with pytest.raises(type(problem), match=str(problem)):
            dispatcher.carry_out(order("a"), lambda pods: None)


def test_a_cancelled_job_is_let_go_while_its_playbook_serves_others():
    playbooks, lost = Playbooks(), threading.Event()
    threads, came = start(Dispatcher(playbooks, 0, 60), order("a", lost=lost.is_set))
    playbooks.await_runs(1)
    lost.set()
    finish(threads)
    assert [type(each) for each in came.values()] == [LeaseLost]
    playbooks.go.set()
