"""Watches: one-shot ones, and kazoo's own that re-arm themselves."""

import queue

import pytest
from conftest import fresh
from kazoo.protocol.states import EventType
from servers import PATIENCE


class Heard:
    """What a watch has reported."""

    def __init__(self):
        self.queue = queue.Queue()

    def __call__(self, *arguments):
        self.queue.put(arguments[0] if len(arguments) == 1 else arguments)

    def next(self):
        return self.queue.get(timeout=PATIENCE)

    def nothing_after(self, client):
        """True if nothing has come by the time that the server has done all it was asked."""
        client.sync("/")
        return self.queue.empty()


def test_data_watch_fires_once(zk, another):
    zk.create("/a", b"1")
    heard = Heard()
    assert zk.get("/a", watch=heard)[0] == b"1"
    other = another()
    other.set("/a", b"2")
    event = heard.next()
    assert (event.type, event.path) == (EventType.CHANGED, "/a")
    other.set("/a", b"3")
    assert heard.nothing_after(zk)


def test_exists_watch(zk, another):
    heard, other = Heard(), another()
    for act, kind in [
        (lambda: other.create("/b"), EventType.CREATED),
        (lambda: other.set("/b", b"x"), EventType.CHANGED),
        (lambda: other.delete("/b"), EventType.DELETED),
    ]:
        zk.exists("/b", watch=heard)
        act()
        event = heard.next()
        assert (event.type, event.path) == (kind, "/b")


def test_children_watch(zk, another):
    zk.create("/c")
    heard, other = Heard(), another()
    zk.get_children("/c", watch=heard)
    other.set("/c", b"not a child")
    other.create("/c/x")
    event = heard.next()
    assert (event.type, event.path) == (EventType.CHILD, "/c")
    zk.get_children("/c", watch=heard)
    other.delete("/c/x")
    assert heard.next().type == EventType.CHILD
    zk.get_children("/c", watch=heard)
    other.delete("/c")
    assert heard.next().type == EventType.DELETED


def test_watch_of_an_own_write(zk):
    zk.create("/own")
    heard = Heard()
    zk.get("/own", watch=heard)
    zk.set("/own", b"x")
    assert heard.next().type == EventType.CHANGED


def test_watch_on_an_ephemeral(zk, another):
    other = another()
    other.create("/e", ephemeral=True)
    heard = Heard()
    assert fresh(zk).exists("/e", watch=heard)
    other.stop()
    assert heard.next().type == EventType.DELETED


@pytest.mark.stays  # several one-shot watches: a move between two of them loses the first
def test_events_of_a_transaction_come_in_order(zk, another):
    heard = Heard()
    zk.create("/m", b"")
    zk.get("/m", watch=heard)
    zk.exists("/m/a", watch=heard)
    zk.get_children("/m", watch=heard)
    transaction = another().transaction()
    transaction.create("/m/a")
    transaction.set_data("/m", b"x")
    transaction.commit()
    assert [heard.next().type for _ in range(3)] == [EventType.CREATED, EventType.CHILD, EventType.CHANGED]


def test_data_watcher_follows(zk, another):
    heard = Heard()
    zk.DataWatch("/d", lambda data, stat: heard((data, stat and stat.version)))
    assert heard.next() == (None, None)
    other = another()
    other.create("/d", b"0")
    assert heard.next() == (b"0", 0)
    other.set("/d", b"1")
    assert heard.next() == (b"1", 1)
    other.delete("/d")
    assert heard.next() == (None, None)


def test_children_watcher_follows(zk, another):
    zk.create("/d")
    heard = Heard()
    zk.ChildrenWatch("/d", lambda names: heard(sorted(names)))
    assert heard.next() == []
    other = another()
    other.create("/d/a")
    assert heard.next() == ["a"]
    other.create("/d/b")
    assert heard.next() == ["a", "b"]
    other.delete("/d/a")
    assert heard.next() == ["b"]
