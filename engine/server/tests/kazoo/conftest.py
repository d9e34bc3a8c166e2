"""Fixtures: servers for kazoo to talk to, and clients.

Every test runs against one server, against three with its clients at different ones, and against three with clients that
wander from server to server (wanderer.py); those marked `stays` do without the last. Every test gets a directory of its own
in the tree; tests that stop servers start their own.

Clients of different servers see each other's writes in order, but not at once: a test that reads what another client has
written says `fresh(client)`, as with ZooKeeper.
"""

import itertools

import pytest
from kazoo.client import KazooClient
from servers import PATIENCE, Servers
from wanderer import Wanderer

# How many servers there are, and what clients are like.
KINDS = {"one": (1, KazooClient), "three": (3, KazooClient), "wandering": (3, Wanderer)}


def pytest_configure(config):
    config.addinivalue_line("markers", "stays: not with clients that wander; the test says why")


def pytest_generate_tests(metafunc):
    if "kind" in metafunc.fixturenames:
        stays = metafunc.definition.get_closest_marker("stays")
        metafunc.parametrize("kind", [k for k in KINDS if not (stays and k == "wandering")], scope="session")


def fresh(client):
    """The client, whose reads show all that has been written by now, by whomever."""
    client.sync("/")
    return client


@pytest.fixture(scope="session")
def server(kind, tmp_path_factory):
    servers = Servers(tmp_path_factory.mktemp(kind), KINDS[kind][0])
    yield servers
    servers.kill()


@pytest.fixture
def own_server(kind, tmp_path):
    servers = Servers(tmp_path, KINDS[kind][0])
    yield servers
    servers.kill()


@pytest.fixture
def connect(kind):
    """Makes connected clients that are closed when the test ends."""
    clients = []

    def make(server, chroot="", **arguments):
        hosts = arguments.pop("hosts", server.hosts())
        arguments = {"timeout": 30, "randomize_hosts": False, **arguments}
        client = KINDS[kind][1](hosts=hosts + chroot, **arguments)
        clients.append(client)
        client.start(timeout=PATIENCE)
        return client

    yield make
    for client in clients:
        client.stop()
        client.close()


numbers = itertools.count()


@pytest.fixture
def root(server, connect):
    """A directory that no other test uses."""
    path = f"/kazoo-{next(numbers)}"
    connect(server).ensure_path(path)
    return path


@pytest.fixture
def zk(server, connect, root):
    """A client for which that directory is the root."""
    return fresh(connect(server, root))


@pytest.fixture
def another(server, connect, root):
    """Makes further clients with the same root."""
    return lambda **arguments: fresh(connect(server, root, **arguments))
