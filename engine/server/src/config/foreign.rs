//! Settings of ZooKeeper that are known and do nothing here: some for good, some until a later version, and some that the
//! server refuses because to ignore them would mislead or weaken security.

use super::key::{Group, Key};

const JAVA_THREADS: &str = "it tunes threads and queues of the Java server, which Ringkeeper does not have";
const JAVA_BATCH: &str = "the log batches by itself; see log.batch.max.bytes and log.batch.max.delay.us";
const JVM: &str = "there is no Java virtual machine to watch";
const OWN_FILES: &str = "it describes the Java server's files; Ringkeeper has its own format";
const OWN_CACHE: &str = "replies are encoded without a cache";
const OWN_WATCHES: &str = "there is one watch table, without lazy cleaning";
pub(super) const HEARTBEATS: &str = "a dead or slow peer is found by heartbeats; see ensemble.heartbeat.ms, ensemble.silence.min.ms and ensemble.silence.max.ms";
const ONE_PORT: &str = "elections go through the quorum port, over the connections that are there anyway";
const CATCHING_UP: &str = "a server gets what it missed as long as the log has it and a snapshot would not be cheaper; see ensemble.history.bytes";
const QUORUM: &str =
    "majorities of voters decide; by weights, groups or an oracle other servers would, and two halves could both write";
const LOCAL: &str = "every session is known to the whole ensemble, as without this setting";
const OBSERVERS: &str = "an observer keeps a log and snapshots, as by default in ZooKeeper";
const REVOCATION: &str = "certificates that were revoked would be accepted; give out certificates that end soon instead, or take their authority out of the trust store";
const JAVA_TLS: &str = "it concerns Java's TLS";
const SASL: &str = "SASL is not available yet, and to go on without it would admit clients that must be kept out";
const SASL_PEERS: &str = "SASL is not available yet, and to go on without it would admit servers that must be kept out";
const SASL_DETAIL: &str = "SASL is not available yet";
const ADMIN: &str = "requests are answered as HTTP/1.1, and addresses are those of connections";
const METRICS: &str = "metrics are served without TLS, and those of a Java machine do not exist here";
const THROTTLE: &str = "requests that are too many wait with their clients, unread, and none grows stale in the server; see globalOutstandingLimit";
const TOKENS: &str = "connections are throttled by tokens alone; see connection_throttle_tokens";

const fn text(name: &'static str) -> Key {
    Key::text(name, Group::Other)
}

const fn ensemble(name: &'static str) -> Key {
    Key::text(name, Group::Ensemble)
}

const fn off_by_default(name: &'static str) -> Key {
    Key::bool(name, Group::Other, "false")
}

/// The rows, in the order of the documentation.
pub static KEYS: &[Key] = &[
    // Ensemble
    ensemble("group.").as_family().refused(QUORUM),
    ensemble("weight.").as_family().refused(QUORUM),
    ensemble("oraclePath").refused(QUORUM),
    ensemble("observerMasterPort").or("0").planned("observers follow the leader itself"),
    Key::bool("standaloneEnabled", Group::Ensemble, "true").no_effect("with fewer than two server lines the server always stands alone"),
    Key::bool("reconfigEnabled", Group::Ensemble, "false").planned("members cannot be changed while they run"),
    Key::bool("localSessionsEnabled", Group::Ensemble, "false").planned(LOCAL),
    Key::bool("localSessionsUpgradingEnabled", Group::Ensemble, "false").planned(LOCAL),
    Key::bool("syncEnabled", Group::Ensemble, "true").no_effect(OBSERVERS),
    Key::bool("observer.syncEnabled", Group::Ensemble, "true").no_effect(OBSERVERS),
    ensemble("electionAlg").or("3").no_effect("there is one way to elect a leader"),
    ensemble("connectToLearnerMasterLimit").no_effect("servers are connected to each other all the time, whoever leads"),
    ensemble("multiAddress.").as_family().no_effect("addresses behind | in a server line are used without a switch"),
    ensemble("leaderServes").or("yes").planned("the leader serves clients like every other server"),
    ensemble("cnxTimeout").no_effect(HEARTBEATS),
    ensemble("electionPortBindRetry").no_effect(ONE_PORT),
    ensemble("quorumCnxnTimeoutMs").no_effect(HEARTBEATS),
    ensemble("commitLogCount").no_effect(CATCHING_UP),
    ensemble("snapshotSizeFactor").no_effect(CATCHING_UP),
    ensemble("forceSnapshotSync").no_effect("it is for tests of the Java server"),
    ensemble("leaderConnectDelayDuringRetryMs").no_effect(HEARTBEATS),
    ensemble("leader.").as_family().no_effect(JAVA_THREADS),
    ensemble("learner.").as_family().no_effect(JAVA_THREADS),
    ensemble("observer.").as_family().no_effect(JAVA_THREADS),
    ensemble("observerMaster.").as_family().no_effect("observers follow the leader itself"),
    ensemble("follower.").as_family().no_effect(JAVA_THREADS),
    ensemble("fastleader.").as_family().no_effect(HEARTBEATS),
    ensemble("quorum.cnxn.threads.size").no_effect(JAVA_THREADS),
    // TLS
    off_by_default("ssl.quorum.crl").refused(REVOCATION),
    off_by_default("ssl.quorum.ocsp").refused(REVOCATION),
    off_by_default("ssl.quorum.allowReverseDnsLookup").no_effect("certificates of servers are compared with the hosts in the server lines"),
    text("ssl.quorum.context.supplier.class").refused("it names a Java class, and whom that class trusts is not known here"),
    text("ssl.quorum.").as_family().no_effect(JAVA_TLS),
    off_by_default("ssl.crl").refused(REVOCATION),
    off_by_default("ssl.ocsp").refused(REVOCATION),
    off_by_default("ssl.allowReverseDnsLookup").refused("only addresses in certificates are compared, which is stricter: clients whose certificates have names would be turned away"),
    text("ssl.authProvider").or("x509").refused("certificates are checked by the trust store alone; clients that another provider keeps away would be admitted"),
    text("ssl.context.supplier.class").refused("it names a Java class, and whom that class trusts is not known here"),
    off_by_default("ssl.hostnameVerification").or("true").no_effect("it is for whoever connects: clients check the server's name"),
    text("ssl.handshakeDetectionTimeoutMillis").no_effect("see ssl.handshake.timeout.ms"),
    text("ssl.").as_family().no_effect(JAVA_TLS),
    off_by_default("fips-mode").or("true").no_effect("it selects Java's TLS provider"),
    text("netty.").as_family().no_effect(JAVA_THREADS),
    // SASL and other identities
    off_by_default("sessionRequireClientSASLAuth").refused(SASL),
    off_by_default("quorum.auth.enableSasl").refused(SASL_PEERS),
    off_by_default("quorum.auth.serverRequireSasl").refused(SASL_PEERS),
    off_by_default("quorum.auth.learnerRequireSasl").refused(SASL_PEERS),
    text("quorum.auth.").as_family().planned(SASL_DETAIL),
    off_by_default("allowSaslFailedClients").planned(SASL_DETAIL),
    text("authProvider.x509").or("org.apache.zookeeper.server.auth.X509AuthenticationProvider").refused("only the subject of a certificate is an identity; access granted or refused by another provider would be lost"),
    text("authProvider.").as_family().refused("only the schemes world, auth, digest, ip and x509 are available; access granted or refused by another provider would be lost"),
    text("superUser").planned(SASL_DETAIL),
    text("SASLAuthenticationProvider.superPassword").secret().planned(SASL_DETAIL),
    text("letAnySaslUserDoX").planned(SASL_DETAIL),
    text("sasl.serverconfig").planned(SASL_DETAIL),
    text("requireKerberosConfig").planned(SASL_DETAIL),
    text("security.auth_to_local").planned(SASL_DETAIL),
    text("kinit").planned(SASL_DETAIL),
    text("kerberos.").as_family().planned(SASL_DETAIL),
    off_by_default("IPAuthenticationProvider.usexforwardedfor").planned(ADMIN),
    text("ensembleAuthName").refused("the ensemble scheme is not available, and clients that it keeps away would be admitted"),
    text("DigestAuthenticationProvider.digestAlg").or("SHA1").refused("only SHA1 is available: with another digest no stored identity would match"),
    off_by_default("DigestAuthenticationProvider.enabled").or("true").refused("the digest scheme cannot be switched off yet"),
    off_by_default("enableEagerACLCheck").planned("ACLs are checked when a request is ordered, with the same result but later than in an ensemble with eager checks"),
    off_by_default("audit.enable").planned("there is no audit log yet"),
    text("audit.impl.class").no_effect("it names a Java class"),
    // Log and snapshots
    text("preAllocSize").no_effect("log files have a fixed size; see log.segment.bytes"),
    text("txnLogSizeLimitInKb").no_effect("log files have a fixed size; see log.segment.bytes"),
    text("flushDelay").no_effect(JAVA_BATCH),
    text("maxBatchSize").no_effect(JAVA_BATCH),
    text("maxWriteQueuePollTime").no_effect(JAVA_BATCH),
    text("snapshot.compression.method").no_effect("snapshots are always compressed with zstd; see snapshot.zstd.level"),
    text("snapshot.trust.empty").no_effect(OWN_FILES),
    text("digest.enabled").no_effect("the digest of the tree is always kept"),
    text("closeSessionTxn.enabled").no_effect(OWN_FILES),
    text("serializeLastProcessedZxid.enabled").no_effect(OWN_FILES),
    text("db.autocreate").or("true").planned("an empty directory always starts an empty tree"),
    off_by_default("emulate353TTLNodes").refused("the ids of ZooKeeper 3.5.3's nodes with a time to live are not known here"),
    text("testingonly.initialZxid").no_effect("it is for tests of the Java server"),
    // Limits and throttles
    text("jute.maxbuffer.extrasize").no_effect("it is slack for reading the Java server's own files"),
    text("request_throttle_").as_family().no_effect(THROTTLE),
    text("request_stale_").as_family().no_effect(THROTTLE),
    text("request_throttler.").as_family().no_effect(THROTTLE),
    text("throttled_op_wait_time").no_effect(THROTTLE),
    text("connection_throttle_").as_family().no_effect(TOKENS),
    off_by_default("tcpKeepAlive").no_effect("heartbeats find dead connections between servers"),
    // The Java server's inside
    text("maxResponseCacheSize").no_effect(OWN_CACHE),
    text("maxGetChildrenResponseCacheSize").no_effect(OWN_CACHE),
    text("watchManagerName").no_effect(OWN_WATCHES),
    text("watcherClean").as_family().no_effect(OWN_WATCHES),
    text("maxInProcessingDeadWatchers").no_effect(OWN_WATCHES),
    text("bitHashCacheSize").no_effect(OWN_WATCHES),
    text("nio.").as_family().no_effect(JAVA_THREADS),
    text("commitProcessor.").as_family().no_effect(JAVA_THREADS),
    text("forward_learner_requests_to_commit_processor_disabled").no_effect(JAVA_THREADS),
    text("serverCnxnFactory").no_effect("it names a Java class"),
    text("intBufferStartingSizeBytes").no_effect(JAVA_THREADS),
    text("jvm.pause.").as_family().no_effect(JVM),
    text("pathStats.").as_family().no_effect("there are no statistics by path"),
    text("messageTracker.").as_family().no_effect("there is no ring of past messages"),
    text("globalSessionMetrics").no_effect("all sessions are counted"),
    // Operations
    text("admin.").as_family().planned(ADMIN),
    text("metricsProvider.").as_family().planned(METRICS),
];
