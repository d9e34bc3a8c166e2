"""Sessions as kazoo sees them: lost connections, other servers' restarts, expiry."""

import queue
import socket
import struct

import pytest
from conftest import fresh
from kazoo.client import KazooClient, KazooState
from servers import PATIENCE

# These tests say themselves when a client loses its connection.
pytestmark = pytest.mark.stays


def states_of(client):
    """A queue of the states that the client goes through."""
    states = queue.Queue()
    client.add_listener(states.put)
    return states


def until(states, wanted):
    while True:
        state = states.get(timeout=PATIENCE)
        if state == wanted:
            return


def break_connection(client):
    client._connection._socket.shutdown(socket.SHUT_RDWR)


def test_session_outlives_its_connection(zk, another):
    client = another()
    client.create("/e", ephemeral=True)
    session, states = client.client_id, states_of(client)
    break_connection(client)
    until(states, KazooState.SUSPENDED)
    until(states, KazooState.CONNECTED)
    assert client.client_id == session
    assert client.exists("/e").ephemeralOwner == session[0]
    assert fresh(zk).exists("/e")


def at_one_server(connect, server, root):
    """A client that knows one server, so that it can be kept from coming back when its connection is lost."""
    return connect(server, root, hosts=server.hosts().split(",")[0])


NOWHERE = [("127.0.0.1", 1)]


def ask_too_late(client):
    """A write by a connection that its session has left is refused, at the latest when ZooKeeper's servers notice it."""
    client.set_async("/e", b"too late")


def test_session_closed_by_a_twin_is_lost(zk, root, server, connect):
    client = at_one_server(connect, server, root)
    client.create("/e", ephemeral=True)
    states, hosts = states_of(client), client.hosts
    client.hosts = NOWHERE
    twin = KazooClient(hosts=server.hosts(), client_id=client.client_id, timeout=10)
    twin.start(PATIENCE)
    ask_too_late(client)
    until(states, KazooState.SUSPENDED)
    twin.stop()
    client.hosts = hosts
    until(states, KazooState.LOST)
    until(states, KazooState.CONNECTED)
    assert fresh(zk).exists("/e") is None
    client.create("/again", ephemeral=True)


def text(value):
    return struct.pack(">i", len(value)) + value


def exchange(connection, payload):
    """Sends a frame; returns the answer without its length."""
    connection.sendall(text(payload))
    stream = connection.makefile("rb")
    (length,) = struct.unpack(">i", stream.read(4))
    return stream.read(length)


def test_silent_session_expires(own_server, connect):
    witness = connect(own_server)
    gone = queue.Queue()
    # A client that goes without a word, written by hand: kazoo's would say goodbye.
    with socket.create_connection(("127.0.0.1", own_server.servers[0].port)) as connection:
        answer = exchange(connection, struct.pack(">iqiq", 0, 0, 10000, 0) + text(bytes(16)) + b"\0")
        timeout, session = struct.unpack(">iq", answer[4:16])
        identity = (session, answer[20:36])
        everybody = struct.pack(">ii", 1, 31) + text(b"world") + text(b"anyone")
        create = struct.pack(">ii", 1, 1) + text(b"/e") + text(b"") + everybody + struct.pack(">i", 1)
        assert struct.unpack(">iqi", exchange(connection, create)[:16])[2] == 0
        assert timeout == 10000
        assert fresh(witness).exists("/e", watch=gone.put).ephemeralOwner == session
    assert gone.get(timeout=PATIENCE).type == "DELETED"
    # Its id is good for nothing now.
    late = KazooClient(hosts=own_server.hosts(), client_id=identity, timeout=4)
    late.start(PATIENCE)
    assert late.client_id[0] != session
    late.stop()


def test_sessions_outlive_the_server(own_server, connect):
    client = connect(own_server, timeout=30)
    client.create("/kept", b"data")
    client.create("/e", ephemeral=True)
    client.create("/s-", sequence=True)
    session, states = client.client_id, states_of(client)
    stopped = own_server.stop_server_of(client)
    until(states, KazooState.SUSPENDED)
    if len(own_server) == 1:
        stopped.launch()
    until(states, KazooState.CONNECTED)
    assert client.client_id == session
    assert client.get("/kept")[0] == b"data"
    assert client.exists("/e").ephemeralOwner == session[0]
    # /zookeeper was there before the counting began.
    assert client.create("/s-", sequence=True) == "/s-0000000003"


def test_session_moves_to_another_client_object(zk, server, connect, root):
    first = at_one_server(connect, server, root)
    first.create("/e", ephemeral=True)
    first.hosts = NOWHERE
    identity, states = first.client_id, states_of(first)
    second = KazooClient(hosts=server.hosts() + root, client_id=identity, timeout=10)
    second.start(PATIENCE)
    assert second.client_id == identity
    ask_too_late(first)
    until(states, KazooState.SUSPENDED)
    data, stat = fresh(second).get("/e")
    assert (data, stat.ephemeralOwner) == (b"", identity[0])
    second.stop()
    assert fresh(zk).exists("/e") is None
