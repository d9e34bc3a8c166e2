"""A client that takes a read-only server while the ensemble has no quorum."""

import time

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NotReadOnlyCallError
from kazoo.protocol.states import KeeperState
from servers import PATIENCE, TARGET, Servers

pytestmark = pytest.mark.skipif(TARGET != "ringkeeper", reason="ZooKeeper needs flags for Java and local sessions")


def wait_for(client, state):
    deadline = time.monotonic() + PATIENCE
    while client.client_state != state:
        assert time.monotonic() < deadline, f"{client.client_state} and not {state}"
        time.sleep(0.01)


@pytest.fixture
def servers(tmp_path):
    servers = Servers(tmp_path, 3, [["readonlymode.enabled=true\n"]] * 3)
    yield servers
    servers.kill()


def test_reads_go_on_without_a_quorum(servers):
    last, *others = servers.servers
    writer = KazooClient(hosts=f"127.0.0.1:{last.port}")
    writer.start(PATIENCE)
    writer.create("/a", b"1")
    writer.stop()
    for server in others:
        server.kill()
    reader = KazooClient(hosts=servers.hosts(), read_only=True)
    reader.start(PATIENCE)
    assert reader.client_state == KeeperState.CONNECTED_RO
    assert reader.get("/a")[0] == b"1"
    with pytest.raises(NotReadOnlyCallError):
        reader.set("/a", b"2")
    assert reader.get("/a")[0] == b"1"
    others[0].launch()
    wait_for(reader, KeeperState.CONNECTED)
    reader.set("/a", b"3")
    assert reader.get("/a")[0] == b"3"
    reader.stop()
    reader.close()
