"""Every recipe that kazoo has."""

import datetime
import itertools
import queue
import threading

import pytest
from conftest import fresh
from kazoo.exceptions import CancelledError, LockTimeout
from kazoo.recipe.cache import TreeCache, TreeEvent
from servers import PATIENCE
from wanderer import TEST_THREAD


numbers = itertools.count()


def in_a_thread(function):
    """Starts a thread of the test's own."""
    thread = threading.Thread(target=function, daemon=True, name=f"{TEST_THREAD}{next(numbers)}")
    thread.start()
    return thread


def run(*functions):
    """Runs functions in threads of their own; returns their results."""
    results = queue.Queue()

    def call(function):
        try:
            results.put(function())
        except BaseException as error:
            results.put(error)

    for function in functions:
        in_a_thread(lambda f=function: call(f))
    out = [results.get(timeout=PATIENCE) for _ in functions]
    for result in out:
        if isinstance(result, BaseException):
            raise result
    return out


def test_lock_excludes(zk, another):
    inside, most = 0, 0
    guard = threading.Lock()

    def work():
        nonlocal inside, most
        client = another()
        lock = client.Lock("/lock", "me")
        for _ in range(10):
            with lock:
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1

    run(work, work, work)
    assert most == 1
    assert fresh(zk).get_children("/lock") == []


def test_lock_without_waiting_and_contenders(zk, another):
    first, second = zk.Lock("/lock", "first"), another().Lock("/lock", "second")
    assert first.acquire()
    assert not second.acquire(blocking=False)
    with pytest.raises(LockTimeout):
        second.acquire(timeout=0.05)
    fresh(zk)
    assert first.contenders() == ["first"]
    first.release()
    assert second.acquire(timeout=PATIENCE)
    second.release()


def test_lock_goes_with_its_holder(zk, another):
    holder = another()
    assert holder.Lock("/lock").acquire()
    waiter = zk.Lock("/lock")
    taken = in_a_thread(waiter.acquire)
    holder.stop()
    taken.join(PATIENCE)
    assert waiter.is_acquired
    waiter.release()


def test_waiting_for_a_lock_can_be_cancelled(zk, another):
    holder = zk.Lock("/lock")
    holder.acquire()
    waiter = another().Lock("/lock", "waiter")
    failed = queue.Queue()

    def wait():
        try:
            waiter.acquire()
        except CancelledError as error:
            failed.put(error)

    in_a_thread(wait)
    while "waiter" not in holder.contenders():
        pass
    waiter.cancel()
    assert isinstance(failed.get(timeout=PATIENCE), CancelledError)
    holder.release()


def test_read_and_write_locks(zk, another):
    one, two, three = zk.ReadLock("/rw", "r1"), another().ReadLock("/rw", "r2"), another().WriteLock("/rw", "w")
    assert one.acquire() and two.acquire()
    assert not three.acquire(blocking=False)
    one.release()
    two.release()
    assert three.acquire(timeout=PATIENCE)
    assert not one.acquire(blocking=False)
    three.release()
    assert one.acquire(timeout=PATIENCE)
    one.release()


def test_semaphore(zk, another):
    first = zk.Semaphore("/sem", "1", max_leases=2)
    second = another().Semaphore("/sem", "2", max_leases=2)
    third = another().Semaphore("/sem", "3", max_leases=2)
    assert first.acquire() and second.acquire()
    assert not third.acquire(blocking=False)
    fresh(zk)
    assert first.lease_holders() and len(first.lease_holders()) == 2
    second.release()
    assert third.acquire(timeout=PATIENCE)
    first.release()
    third.release()


def test_election(zk, another):
    led = queue.Queue()
    clients = [another() for _ in range(3)]

    def candidate(index):
        return lambda: clients[index].Election("/election", f"c{index}").run(lambda: led.put(index))

    run(*[candidate(i) for i in range(3)])
    assert sorted(led.get(timeout=PATIENCE) for _ in range(3)) == [0, 1, 2]
    assert fresh(zk).Election("/election").contenders() == []


def test_queue(zk, another):
    q = zk.Queue("/queue")
    assert q.get() is None
    for value in [b"one", b"two", b"three"]:
        q.put(value)
    q.put(b"first", priority=1)
    assert len(q) == 4
    other = another().Queue("/queue")
    assert [other.get() for _ in range(4)] == [b"first", b"one", b"two", b"three"]
    fresh(zk)
    assert len(q) == 0


def test_locking_queue(zk, another):
    q = zk.LockingQueue("/queue")
    q.put_all([b"one", b"two"])
    q.put(b"urgent", priority=1)
    other = another().LockingQueue("/queue")
    assert other.get(timeout=PATIENCE) == b"urgent"
    assert q.get(timeout=PATIENCE) == b"one"
    assert other.holds_lock() and other.consume()
    assert q.release() and not q.holds_lock()
    assert other.get(timeout=PATIENCE) == b"one"
    assert other.consume()
    fresh(zk)
    assert len(q) == 1


@pytest.mark.stays  # kazoo's locking queue does not watch for entries again after a lost connection
def test_locking_queue_waits_for_an_entry(zk, another):
    q, other = zk.LockingQueue("/queue"), another().LockingQueue("/queue")
    got = run(lambda: q.get(timeout=PATIENCE), lambda: other.put(b"late"))
    assert b"late" in got
    q.consume()


@pytest.mark.stays  # for the same reason
def test_locking_queue_gives_an_entry_back_when_its_holder_goes(zk, another):
    zk.LockingQueue("/queue").put(b"x")
    holder = another()
    assert holder.LockingQueue("/queue").get(timeout=PATIENCE) == b"x"
    holder.stop()
    assert zk.LockingQueue("/queue").get(timeout=PATIENCE) == b"x"


def test_barrier(zk, another):
    barrier = zk.Barrier("/barrier")
    barrier.create()
    assert not another().Barrier("/barrier").wait(timeout=0.05)
    waiter = another().Barrier("/barrier")
    results = run(lambda: waiter.wait(timeout=PATIENCE), barrier.remove)
    assert results == [True, True]
    assert waiter.wait(timeout=0)
    assert not barrier.remove()


@pytest.mark.stays  # kazoo's double barrier waits for watches that it does not set again, either
def test_double_barrier(zk, another):
    events = queue.Queue()

    def member():
        barrier = another().DoubleBarrier("/double", 3)
        barrier.enter()
        events.put("in")
        assert barrier.participating
        barrier.leave()
        events.put("out")

    run(member, member, member)
    seen = [events.get(timeout=PATIENCE) for _ in range(6)]
    assert sorted(seen) == ["in"] * 3 + ["out"] * 3
    assert seen[0] == "in"


def test_parties(zk, another):
    other = another()
    first, second = zk.Party("/party", "one"), other.Party("/party", "two")
    first.join()
    second.join()
    fresh(zk)
    fresh(other)
    assert sorted(first) == ["one", "two"] and len(second) == 2
    second.leave()
    fresh(zk)
    assert list(first) == ["one"]
    first.leave()
    assert len(first) == 0


def test_shallow_parties(zk, another):
    first, other = zk.ShallowParty("/party", "one"), another()
    second = other.ShallowParty("/party", "two")
    first.join()
    second.join()
    fresh(zk)
    assert sorted(first) == ["one", "two"]
    other.stop()
    fresh(zk)
    assert list(first) == ["one"]


def test_counter(zk, another):
    def add():
        counter = another().Counter("/counter")
        for _ in range(20):
            counter += 1
        counter -= 5

    run(add, add, add)
    counter = fresh(zk).Counter("/counter")
    assert counter.value == 45
    floating = zk.Counter("/float", default=1.5)
    floating += 1.25
    assert floating.value == 2.75


def test_leases(zk, another):
    hour = datetime.timedelta(hours=1)
    assert zk.NonBlockingLease("/lease", hour, identifier="one")
    assert not another().NonBlockingLease("/lease", hour, identifier="two")
    assert zk.NonBlockingLease("/lease", hour, identifier="one")
    leases = [another().MultiNonBlockingLease(2, "/leases", hour, identifier=f"{i}") for i in range(3)]
    assert [bool(lease) for lease in leases] == [True, True, False]


def test_tree_cache(zk, another):
    cache = TreeCache(zk, "/tree")
    heard = queue.Queue()
    cache.listen(lambda event: heard.put(event))
    cache.start()

    def until(kind, path=None):
        while True:
            event = heard.get(timeout=PATIENCE)
            if event.event_type == kind and (path is None or event.event_data.path == path):
                return event

    until(TreeEvent.INITIALIZED)
    other = another()
    other.create("/tree/a/b", b"deep", makepath=True)
    until(TreeEvent.NODE_ADDED, "/tree/a/b")
    assert cache.get_data("/tree/a/b").data == b"deep"
    assert cache.get_children("/tree") == {"a"}
    other.set("/tree/a/b", b"changed")
    until(TreeEvent.NODE_UPDATED, "/tree/a/b")
    assert cache.get_data("/tree/a/b").data == b"changed"
    other.delete("/tree/a", recursive=True)
    until(TreeEvent.NODE_REMOVED, "/tree/a")
    assert cache.get_data("/tree/a") is None
    cache.close()


def test_set_partitioner(zk, another):
    work = tuple(range(6))
    members = [another().SetPartitioner("/parts", work, time_boundary=0.2, identifier=f"m{i}") for i in range(2)]

    def settled():
        return all(m.acquired and len(list(m)) == 3 for m in members)

    def keep_going(member):
        while not settled():
            assert not member.failed
            if member.release:
                member.release_set()
            elif member.allocating:
                member.wait_for_acquire(1)

    run(*[lambda m=m: keep_going(m) for m in members])
    assert sorted(sum((list(m) for m in members), [])) == list(work)
    for member in members:
        member.finish()
