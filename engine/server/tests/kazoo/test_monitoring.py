"""Prometheus' side: what a server tells is what its parser takes, and dashboard and alert rules ask for nothing else."""

import json
import re
import shutil
import subprocess
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers import REPOSITORY, TARGET, Servers, free_port

DEPLOY = REPOSITORY / "deploy/monitoring"
PROVIDER = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"

# What is in an expression beside metrics: functions, words of the language, labels.
LANGUAGE = set(
    """sum max min by on and or for rate increase floor le without label_values histogram_quantile instance job stage op kind
    reason role server executor ensemble read update limit leader standalone ringkeeper s m h""".split()
)

pytestmark = pytest.mark.skipif(TARGET != "ringkeeper", reason="these are Ringkeeper's metrics")


def expressions():
    panels = json.loads((DEPLOY / "dashboard.json").read_text())["panels"]
    yield from (target["expr"] for panel in panels for target in panel.get("targets", []))
    rules = (DEPLOY / "alerts.yml").read_text()
    inline = re.findall(r"expr: (?!\|)(.+)\n", rules)
    blocks = re.findall(r"expr: \|\n((?: {10,}.*\n)+)", rules)
    assert len(inline) + len(blocks) == rules.count("alert:")
    yield from inline + blocks


def metrics_of(expression):
    bare = re.sub(r'"[^"]*"|\[[^]]*\]|\$\w+', "", expression)
    names = re.findall(r"\b[a-z_][a-z0-9_]*\b", bare)
    return {name for name in names if name not in LANGUAGE and name != "up"}


@pytest.fixture(scope="module")
def leader(tmp_path_factory):
    """The text that the leader of three tells after some load, from the port of the metrics alone."""
    from kazoo.client import KazooClient

    ports = [free_port() for _ in range(3)]
    more = [[f"metricsProvider.className={PROVIDER}\n", f"metricsProvider.httpPort={port}\n"] for port in ports]
    servers = Servers(tmp_path_factory.mktemp("metrics"), 3, more)
    client = KazooClient(hosts=servers.hosts())
    client.start()
    client.create("/a")
    client.get("/a", watch=lambda _: None)
    for n in range(100):
        client.set("/a", str(n).encode())
    texts = [urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode() for port in ports]
    client.stop()
    yield next(text for text in texts if 'ringkeeper_role{role="leader"} 1' in text)
    servers.kill()


def test_the_parser_takes_it(leader):
    families = {family.name: family for family in text_string_to_metric_families(leader)}
    assert len(families) == leader.count("# TYPE ")
    for family in families.values():
        assert family.documentation and family.type != "unknown", family.name
        if family.type == "histogram":
            buckets = [sample.value for sample in family.samples if sample.name.endswith("_bucket")]
            assert buckets, family.name
    stages = families["ringkeeper_write_stage_seconds"].samples
    for stage in ["queue", "prepare", "log", "quorum", "apply", "reply"]:
        of_stage = [s for s in stages if s.labels["stage"] == stage]
        buckets = [s.value for s in of_stage if s.name.endswith("_bucket")]
        assert buckets == sorted(buckets), stage
        # The clients may be at other servers.
        assert buckets[-1] > 0 or stage == "queue", stage


def test_dashboard_and_rules_ask_for_what_is_there(leader):
    # From the text: the parser gives counters the ending `_total`, which ZooKeeper's do not have.
    there = set(re.findall(r"^([a-z][a-z0-9_]*)", leader, re.MULTILINE))
    # Only where there is TLS, see engine/server/tests/tls.
    there.add("ringkeeper_tls_certificate_expiry_seconds")
    for expression in expressions():
        wanted = metrics_of(expression)
        assert wanted <= there, (expression, wanted - there)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is in Debian's package prometheus")
def test_promtool_is_content(leader):
    rules = subprocess.run(["promtool", "check", "rules", DEPLOY / "alerts.yml"], capture_output=True, text=True)
    assert rules.returncode == 0, rules.stdout + rules.stderr
    metrics = subprocess.run(["promtool", "check", "metrics"], input=leader, capture_output=True, text=True)
    # ZooKeeper's names are what they are; it has to be able to read them.
    ours = [line for line in metrics.stderr.splitlines() if line.startswith("ringkeeper_")]
    assert metrics.returncode in (0, 3) and not ours, metrics.stdout + metrics.stderr
