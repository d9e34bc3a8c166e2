"""TLS as Python programs speak it: OpenSSL under kazoo."""

import shutil
import subprocess

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import make_acl
from servers import PATIENCE, TARGET, Server, free_port

pytestmark = [
    pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl"),
    pytest.mark.skipif(TARGET != "ringkeeper", reason="ZooKeeper needs flags for Java to speak TLS"),
]

KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"


@pytest.fixture
def pki(tmp_path):
    def openssl(line):
        subprocess.run(["openssl", *line.split()], cwd=tmp_path, check=True, capture_output=True)

    openssl(f"req -x509 {KEY} -days 30 -subj /O=Example/CN=ca -keyout ca.key -out ca.pem")
    for name in ["server", "app", "other"]:
        openssl(f"req {KEY} -subj /O=Example/CN={name} -addext subjectAltName=DNS:localhost -keyout {name}.key -out {name}.csr")
        openssl(f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -days 30 -copy_extensions copy -out {name}.crt")
    (tmp_path / "server.pem").write_text((tmp_path / "server.crt").read_text() + (tmp_path / "server.key").read_text())
    return tmp_path


def test_clients_with_certificates(pki):
    port = free_port()
    (pki / "server").mkdir()
    server = Server(
        pki / "server",
        lines=[
            f"secureClientPort={port}\n",
            f"ssl.keyStore.location={pki / 'server.pem'}\n",
            f"ssl.trustStore.location={pki / 'ca.pem'}\n",
        ],
    )

    def connect(name):
        client = KazooClient(
            hosts=f"localhost:{port}",
            use_ssl=True,
            ca=str(pki / "ca.pem"),
            certfile=str(pki / f"{name}.crt"),
            keyfile=str(pki / f"{name}.key"),
        )
        client.start(timeout=PATIENCE)
        return client

    try:
        server.wait()
        app, other = connect("app"), connect("other")
        data = b"x" * 1_000_000
        app.create("/mine", data, acl=[make_acl("x509", "CN=app,O=Example", all=True)])
        assert app.get("/mine")[0] == data
        with pytest.raises(NoAuthError):
            other.get("/mine")
        lock = other.Lock("/lock", "other")
        with lock:
            assert app.Lock("/lock", "app").contenders() == ["other"]
        for client in [app, other]:
            client.stop()
            client.close()
    finally:
        server.kill()
