"""Every operation that kazoo has."""

import re

import pytest
from conftest import fresh
from kazoo import exceptions as errors
from kazoo.security import make_acl, make_digest_acl, make_digest_acl_credential
from servers import PATIENCE


def test_create_and_read(zk):
    assert zk.create("/a", b"data") == "/a"
    data, stat = zk.get("/a")
    assert data == b"data"
    assert (stat.version, stat.cversion, stat.aversion, stat.numChildren, stat.dataLength) == (0, 0, 0, 0, 4)
    assert stat.czxid == stat.mzxid == stat.pzxid > 0
    assert stat.ctime == stat.mtime > 0
    assert stat.ephemeralOwner == 0
    with pytest.raises(errors.NodeExistsError):
        zk.create("/a")
    with pytest.raises(errors.NoNodeError):
        zk.create("/no/parent")


def test_create_with_stat(zk):
    path, stat = zk.create("/a", b"xy", include_data=True)
    assert path == "/a"
    assert stat == zk.exists("/a")


def test_create_makes_parents(zk):
    assert zk.create("/x/y/z", b"v", makepath=True) == "/x/y/z"
    assert zk.get_children("/x") == ["y"]


def test_sequences(zk):
    zk.create("/s")
    assert zk.create("/s/n-", sequence=True) == "/s/n-0000000000"
    assert zk.create("/s/plain") == "/s/plain"
    assert zk.create("/s/n-", sequence=True) == "/s/n-0000000002"
    zk.delete("/s/n-0000000002")
    assert zk.create("/s/", sequence=True) == "/s/0000000003"


def test_versions(zk):
    zk.create("/v", b"0")
    assert zk.set("/v", b"1").version == 1
    assert zk.set("/v", b"2", version=1).version == 2
    with pytest.raises(errors.BadVersionError):
        zk.set("/v", b"3", version=1)
    with pytest.raises(errors.BadVersionError):
        zk.delete("/v", version=1)
    assert zk.delete("/v", version=2)
    with pytest.raises(errors.NoNodeError):
        zk.set("/v", b"4")


def test_children(zk):
    for name in "cab":
        zk.create(f"/dir/{name}", makepath=True)
    names, stat = zk.get_children("/dir", include_data=True)
    assert sorted(names) == ["a", "b", "c"]
    assert (stat.numChildren, stat.cversion) == (3, 3)
    with pytest.raises(errors.NotEmptyError):
        zk.delete("/dir")
    zk.delete("/dir", recursive=True)
    assert zk.exists("/dir") is None
    with pytest.raises(errors.NoNodeError):
        zk.get_children("/dir")


def test_ephemerals(zk, another):
    other = another()
    other.create("/e", ephemeral=True)
    assert fresh(zk).exists("/e").ephemeralOwner == other.client_id[0]
    with pytest.raises(errors.NoChildrenForEphemeralsError):
        other.create("/e/child")
    path = other.create("/q-", ephemeral=True, sequence=True)
    other.stop()
    assert fresh(zk).exists("/e") is None
    assert zk.exists(path) is None


def test_large_data(zk):
    data = bytes(range(256)) * 4000
    zk.create("/large", data)
    assert zk.get("/large")[0] == data


def test_data_may_be_empty(zk):
    zk.create("/empty")
    assert zk.get("/empty")[0] == b""
    assert zk.set("/empty", b"").dataLength == 0


def test_names_may_be_any_text(zk):
    for name in ["grüße", "日本", "with space", "...", "%40"]:
        zk.create(f"/{name}")
    assert sorted(zk.get_children("/")) == sorted(["grüße", "日本", "with space", "...", "%40"])
    with pytest.raises(errors.BadArgumentsError):
        zk.create("/\x01")


def test_many_requests_at_once(zk):
    results = [zk.create_async(f"/n{i:04}", str(i).encode()) for i in range(1000)]
    assert [r.get(PATIENCE) for r in results] == [f"/n{i:04}" for i in range(1000)]
    reads = [zk.get_async(f"/n{i:04}") for i in range(1000)]
    assert [r.get(PATIENCE)[0] for r in reads] == [str(i).encode() for i in range(1000)]
    assert len(zk.get_children("/")) == 1000


def test_sync(zk):
    zk.create("/a")
    assert zk.sync("/a").endswith("/a")


def test_transaction_succeeds(zk):
    zk.create("/t", b"old")
    transaction = zk.transaction()
    transaction.create("/t/a", b"1")
    transaction.create("/t/s-", sequence=True)
    transaction.set_data("/t", b"new")
    transaction.check("/t", 1)
    transaction.create("/t/b", ephemeral=True)
    transaction.delete("/t/b")
    results = transaction.commit()
    assert results[0] == "/t/a" and results[1] == "/t/s-0000000001"
    assert results[2].version == 1
    assert results[3] is True and results[5] is True
    assert zk.exists("/t/a").czxid == zk.exists("/t").mzxid


def test_transaction_fails_as_a_whole(zk):
    zk.create("/t", b"old")
    with pytest.raises(AssertionError):
        with zk.transaction() as transaction:
            transaction.create("/t/a")
            transaction.check("/t", 7)
            transaction.set_data("/t", b"new")
            assert False, "leaving the block by an exception sends nothing"
    transaction = zk.transaction()
    transaction.create("/t/a")
    transaction.check("/t", 7)
    transaction.set_data("/t", b"new")
    results = transaction.commit()
    assert [type(r) for r in results] == [errors.RolledBackError, errors.BadVersionError, errors.RuntimeInconsistency]
    assert zk.get("/t")[0] == b"old"
    assert zk.exists("/t/a") is None


def test_acls(zk, another):
    acl = make_digest_acl("user", "secret", all=True)
    zk.create("/closed", b"x", acl=[acl])
    for attempt in [lambda: zk.get("/closed"), lambda: zk.set("/closed", b""), lambda: zk.create("/closed/a")]:
        with pytest.raises(errors.NoAuthError):
            attempt()
    owner = another(auth_data=[("digest", "user:secret")])
    assert owner.get("/closed")[0] == b"x"
    acls, stat = owner.get_acls("/closed")
    assert [(a.perms, a.id.scheme, a.id.id) for a in acls] == [
        (31, "digest", make_digest_acl_credential("user", "secret"))
    ]
    assert stat.aversion == 0
    stat = owner.set_acls("/closed", [acl, make_acl("world", "anyone", read=True)], version=0)
    assert stat.aversion == 1
    assert fresh(zk).get("/closed")[0] == b"x"
    # Who may not administer a node sees who may, not the hash of the password.
    assert [a.id.id for a in zk.get_acls("/closed")[0]] == ["user:x", "anyone"]
    with pytest.raises(errors.NoAuthError):
        zk.set_acls("/closed", [acl])
    with pytest.raises(errors.BadVersionError):
        owner.set_acls("/closed", [acl], version=0)


def test_acl_of_whoever_creates(zk, another):
    with pytest.raises(errors.InvalidACLError):
        zk.create("/mine", acl=[make_acl("auth", "", all=True)])
    zk.add_auth("digest", "me:pw")
    zk.create("/mine", acl=[make_acl("auth", "", all=True)])
    assert zk.get_acls("/mine")[0][0].id.id == make_digest_acl_credential("me", "pw")
    with pytest.raises(errors.NoAuthError):
        another().get("/mine")


def test_acl_of_an_address(zk):
    zk.create("/here", acl=[make_acl("ip", "127.0.0.0/8", all=True)])
    zk.create("/there", acl=[make_acl("ip", "10.1.2.3", all=True)])
    assert zk.get("/here")
    with pytest.raises(errors.NoAuthError):
        zk.get("/there")


def test_bad_identity_is_refused(server, connect):
    client = connect(server)
    with pytest.raises(errors.AuthFailedError):
        client.add_auth("nothing", "x")


def test_super_user(zk, another):
    zk.create("/locked", acl=[make_digest_acl("nobody", "knows", all=True)])
    boss = another(auth_data=[("digest", "super:admin")])
    assert boss.get("/locked")
    boss.delete("/locked")


def test_reconfig_is_refused(zk):
    with pytest.raises(errors.ZookeeperError) as refusal:
        zk.reconfig(joining="server.2=127.0.0.1:1:2;3", leaving=None, new_members=None)
    assert refusal.value.code in (-6, -123)


def test_configuration_node(server, connect):
    """On a server of an ensemble it names the members, as clients that look for the others expect."""
    client = connect(server)
    data, stat = client.get("/zookeeper/config")
    assert client.exists("/zookeeper/config") == stat
    assert stat.dataLength == len(data)
    if len(server) == 1:
        assert data == b""
        return
    *members, version = data.decode().split("\n")
    assert version == "version=0"
    member = r"server\.(\d)=127\.0\.0\.1:\d+:\d+:participant(;127\.0\.0\.1:\d+)?"
    assert [re.fullmatch(member, line)[1] for line in sorted(members)] == ["1", "2", "3"]
    assert (stat.version, stat.aversion, stat.mzxid) == (-1, -1, 0)


def test_four_letter_words(server, zk):
    assert zk.command(b"ruok") == "imok"
    modes = ["standalone"] if len(server) == 1 else ["leader", "follower"]
    assert re.search("^Mode: (.*)$", zk.command(b"srvr"), re.MULTILINE)[1] in modes
    assert zk.command(b"isro").strip() == "rw"
    assert "zk_znode_count" in zk.command(b"mntr")
    assert "clientPort=" in zk.command(b"conf")
    assert "127.0.0.1" in zk.command(b"cons")
    assert "zookeeper.version=" in zk.command(b"envi")
    assert "connections watching" in zk.command(b"wchs")
    assert zk.command(b"dirs")
    assert "Clients:" in zk.command(b"stat")
    assert zk.server_version()[0] == 3
