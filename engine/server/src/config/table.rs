//! The table of all settings that do something. Parser, flags, `--help`, documentation and `conf` are made from it; the
//! settings of ZooKeeper that are known and left alone are in [`super::foreign`].

use super::admin;
use super::foreign;
use super::key::{Group, Key};
use super::shape;

macro_rules! keys {
    ($($id:ident = $key:expr;)*) => {
        $(
            #[doc = concat!("The row of `", stringify!($id), "`.")]
            pub static $id: Key = $key;
        )*
        /// The settings of this table, in the order of the documentation.
        pub static HONOURED: &[&Key] = &[$(&$id),*];
    };
}

const I32_MAX: i64 = i32::MAX as i64;
const MIB: i64 = 1 << 20;
const HEARTBEATS: &str = foreign::HEARTBEATS;

keys! {
    DATA_DIR = Key::path("dataDir", Group::Data).required()
        .means("Directory of snapshots, of the server's own records and, unless dataLogDir says otherwise, of the transaction log. Created if it is missing.");
    DATA_LOG_DIR = Key::path("dataLogDir", Group::Data).or_derived("dataDir")
        .means("Directory of the transaction log. A device of its own keeps snapshots from disturbing commits.");
    DATADIR_AUTOCREATE = Key::bool("datadir.autocreate", Group::Data, "true")
        .means("Makes the two directories if they are missing. With false a server whose disk is not mounted does not start.");

    CLIENT_PORT = Key::int("clientPort", Group::Clients, 0, 65_535, "2181")
        .means("TCP port for clients. With 0 the system chooses a free one, which the server logs at start.");
    CLIENT_PORT_ADDRESS = Key::text("clientPortAddress", Group::Clients).or_derived("all addresses of the machine")
        .means("Address or host name to listen on.");
    CLIENT_PORT_LISTEN_BACKLOG = Key::int("clientPortListenBacklog", Group::Clients, -1, 65_535, "-1").unit("connections")
        .means("Length of the queue of connections that are not yet accepted; -1 leaves it to the server (1024).");
    CLIENT_KEEPALIVE = Key::bool("clientTcpKeepAlive", Group::Clients, "false")
        .means("Has the kernel probe silent clients. Session timeouts find dead clients without it; it helps where firewalls forget silent connections.");

    SECURE_CLIENT_PORT = Key::int("secureClientPort", Group::Tls, 0, 65_535, "2281").unset()
        .means("TCP port for clients that speak TLS. If clientPort is not given too, there is no port without TLS. With 0 the system chooses a free one.");
    SECURE_CLIENT_PORT_ADDRESS = Key::text("secureClientPortAddress", Group::Tls).or_derived("all addresses of the machine")
        .means("Address or host name to listen on for TLS.");
    CLIENT_PORT_UNIFICATION = Key::bool("client.portUnification", Group::Tls, "false")
        .means("Clients with and without TLS are served on clientPort; the first byte tells them apart. Meant for the time in which clients are changed over.");
    SSL_KEY_STORE = Key::path("ssl.keyStore.location", Group::Tls).live()
        .means("File with the server's certificate, those between it and its authority, and its key: PEM, or PKCS12. What is in the file tells which. Java's own format (JKS) is refused with the command that converts it.");
    SSL_KEY_STORE_PASSWORD = Key::text("ssl.keyStore.password", Group::Tls).secret().live()
        .means("Password of the file, or of the encrypted key in it.");
    SSL_KEY_STORE_PASSWORD_PATH = Key::path("ssl.keyStore.passwordPath", Group::Tls).live()
        .means("File with that password; it wins.");
    SSL_KEY_STORE_TYPE = Key::one_of("ssl.keyStore.type", Group::Tls, &["PEM", "PKCS12", "JKS", "BCFKS"]).or_derived("what is in the file").live()
        .means("What the file is. PEM and PKCS12 are told apart by what is in it; the others are refused.");
    SSL_TRUST_STORE = Key::path("ssl.trustStore.location", Group::Tls).live()
        .means("File with the certificates of the authorities that stand for clients: PEM, or PKCS12.");
    SSL_TRUST_STORE_PASSWORD = Key::text("ssl.trustStore.password", Group::Tls).secret().live()
        .means("Password of that file, if it is PKCS12.");
    SSL_TRUST_STORE_PASSWORD_PATH = Key::path("ssl.trustStore.passwordPath", Group::Tls).live()
        .means("File with that password; it wins.");
    SSL_TRUST_STORE_TYPE = Key::one_of("ssl.trustStore.type", Group::Tls, &["PEM", "PKCS12", "JKS", "BCFKS"]).or_derived("what is in the file").live()
        .means("What that file is, as ssl.keyStore.type.");
    SSL_CLIENT_AUTH = Key::one_of("ssl.clientAuth", Group::Tls, &["need", "want", "none"]).or("need").live()
        .means("need: clients must show a certificate of a trusted authority. want: one that they show must be of such an authority. none: they are not asked. The subject of the certificate is an identity of the client, x509:SUBJECT.");
    SSL_PROTOCOL = Key::text("ssl.protocol", Group::Tls).live()
        .means("The newest version of TLS to be spoken, if ssl.enabledProtocols does not say: TLSv1.3 (with TLSv1.2) or TLSv1.2.");
    SSL_ENABLED_PROTOCOLS = Key::text("ssl.enabledProtocols", Group::Tls).or_derived("TLSv1.3,TLSv1.2").live()
        .means("Versions of TLS to be spoken: TLSv1.3, TLSv1.2 or both with a comma between. Older ones are not spoken.");
    SSL_CIPHER_SUITES = Key::text("ssl.ciphersuites", Group::Tls).or_derived("all that are known").live()
        .means("Cipher suites to be used, in Java's names with commas between, the preferred one first. Known are those of TLS 1.3 and, for TLS 1.2, ECDHE with AES-GCM or ChaCha20; others are left out with a warning.");
    SSL_VERIFY_CLIENT_ADDRESS = Key::bool("ssl.clientHostnameVerification", Group::Tls, "false").live()
        .means("A client's certificate must be for the IP address that it connects from.");
    CLIENT_CERT_RELOAD = Key::bool("client.certReload", Group::Tls, "false").live()
        .means("Certificates, key and trusted authorities are read again when their files change. On SIGHUP they always are. Connections that exist go on; if what is read cannot be used, what was in force stays.");
    SSL_HANDSHAKE_TIMEOUT = Key::int("ssl.handshake.timeout.ms", Group::Tls, 10, 3_600_000, "10000").unit("ms").live()
        .means("A connection whose TLS handshake takes longer is closed.");
    TLS_HANDSHAKES_MAX = Key::int("netty.server.outstandingHandshake.limit", Group::Tls, -1, I32_MAX, "-1").unit("handshakes").live()
        .means("TLS handshakes that may be under way; further connections are closed. -1 and 0 mean no limit.");
    X509_SUPER_USER = Key::text("X509AuthenticationProvider.superUser", Group::Tls)
        .means("The subject of the certificate whose owner may do everything: CN=admin,O=example, in the spelling in which `whoami` shows it.");

    SSL_QUORUM = Key::bool("sslQuorum", Group::PeerTls, "false")
        .means("Servers speak TLS to each other: this one does so to those that it connects to, and takes no others. An ensemble is changed over without a pause by portUnification.");
    PORT_UNIFICATION = Key::bool("portUnification", Group::PeerTls, "false")
        .means("Other servers are taken with and without TLS on the one port; the first byte tells them apart. Meant for the time in which an ensemble is changed over.");
    QUORUM_KEY_STORE = Key::path("ssl.quorum.keyStore.location", Group::PeerTls).live()
        .means("As ssl.keyStore.location, for other servers. The certificate must be for this server's host, as its server line has it (subjectAltName), and for both ends of a connection.");
    QUORUM_KEY_STORE_PASSWORD = Key::text("ssl.quorum.keyStore.password", Group::PeerTls).secret().live()
        .means("Password of the file, or of the encrypted key in it.");
    QUORUM_KEY_STORE_PASSWORD_PATH = Key::path("ssl.quorum.keyStore.passwordPath", Group::PeerTls).live()
        .means("File with that password; it wins.");
    QUORUM_KEY_STORE_TYPE = Key::one_of("ssl.quorum.keyStore.type", Group::PeerTls, &["PEM", "PKCS12", "JKS", "BCFKS"]).or_derived("what is in the file").live()
        .means("What the file is, as ssl.keyStore.type.");
    QUORUM_TRUST_STORE = Key::path("ssl.quorum.trustStore.location", Group::PeerTls).live()
        .means("File with the certificates of the authorities that stand for the other servers: PEM, or PKCS12. Whoever has a certificate of one of them can be a server of the ensemble as far as the names in it allow; give servers an authority of their own.");
    QUORUM_TRUST_STORE_PASSWORD = Key::text("ssl.quorum.trustStore.password", Group::PeerTls).secret().live()
        .means("Password of that file, if it is PKCS12.");
    QUORUM_TRUST_STORE_PASSWORD_PATH = Key::path("ssl.quorum.trustStore.passwordPath", Group::PeerTls).live()
        .means("File with that password; it wins.");
    QUORUM_TRUST_STORE_TYPE = Key::one_of("ssl.quorum.trustStore.type", Group::PeerTls, &["PEM", "PKCS12", "JKS", "BCFKS"]).or_derived("what is in the file").live()
        .means("What that file is, as ssl.keyStore.type.");
    QUORUM_CLIENT_AUTH = Key::one_of("ssl.quorum.clientAuth", Group::PeerTls, &["need", "want", "none"]).or("need").live()
        .means("need: servers that connect must show a certificate of a trusted authority. want: one that they show must be of such an authority. none: they are not asked.");
    QUORUM_PROTOCOL = Key::text("ssl.quorum.protocol", Group::PeerTls).live()
        .means("The newest version of TLS to be spoken, as ssl.protocol.");
    QUORUM_ENABLED_PROTOCOLS = Key::text("ssl.quorum.enabledProtocols", Group::PeerTls).or_derived("TLSv1.3,TLSv1.2").live()
        .means("Versions of TLS to be spoken, as ssl.enabledProtocols.");
    QUORUM_CIPHER_SUITES = Key::text("ssl.quorum.ciphersuites", Group::PeerTls).or_derived("all that are known").live()
        .means("Cipher suites to be used, as ssl.ciphersuites.");
    QUORUM_VERIFY_NAME = Key::bool("ssl.quorum.hostnameVerification", Group::PeerTls, "true").live()
        .means("The certificate of a server that is connected to must be for its host, as its server line has it.");
    QUORUM_VERIFY_CLIENT_NAME = Key::bool("ssl.quorum.clientHostnameVerification", Group::PeerTls, "true").or_derived("ssl.quorum.hostnameVerification").live()
        .means("The certificate of a server that connects must be for the host of the server that it says it is.");
    QUORUM_CERT_RELOAD = Key::bool("sslQuorumReloadCertFiles", Group::PeerTls, "false").live()
        .means("Certificates, key and trusted authorities for other servers are read again when their files change. On SIGHUP they always are. Links that exist go on.");
    QUORUM_HANDSHAKE_TIMEOUT = Key::int("ssl.quorum.handshakeDetectionTimeoutMillis", Group::PeerTls, 10, 3_600_000, "5000").unit("ms").live()
        .means("A server that connects, or is connected to, and has not completed the TLS handshake in this time is given up.");

    MAX_CLIENT_CNXNS = Key::int("maxClientCnxns", Group::Limits, 0, I32_MAX, "60").unit("connections").live()
        .means("Connections accepted from one IP address; further ones are closed at once. 0 means no limit.");
    MAX_CNXNS = Key::int("maxCnxns", Group::Limits, 0, I32_MAX, "0").unit("connections").live()
        .means("Connections accepted in all; further ones are closed at once. 0 means no limit but that of open files.");
    CONNECT_TOKENS = Key::int("connection_throttle_tokens", Group::Limits, 0, I32_MAX, "0").unit("tokens").live()
        .means("Sessions that may be asked for in a burst: each takes a token of so many; a connection that finds none is closed. 0 means no limit.");
    CONNECT_FILL_TIME = Key::int("connection_throttle_fill_time", Group::Limits, 1, I32_MAX, "1").unit("ms").live()
        .means("Time after which connection_throttle_fill_count tokens come back.");
    CONNECT_FILL_COUNT = Key::int("connection_throttle_fill_count", Group::Limits, 1, I32_MAX, "1").unit("tokens").live()
        .means("Tokens that come back each time.");
    SESSIONLESS_TIMEOUT = Key::int("nio.sessionlessCnxnTimeout", Group::Limits, 100, I32_MAX, "10000").unit("ms").live()
        .means("Time after which a connection that has not asked for a session is closed.");
    SESSIONS_MAX = Key::int("sessions.max", Group::Limits, 0, I32_MAX, "0").unit("sessions").live()
        .means("Sessions of the ensemble beyond which this server opens no new one: the connection is closed. Sessions that are there can always be taken up again. 0 means no limit.");
    MAX_BUFFER = Key::int("jute.maxbuffer", Group::Limits, 4_096, 32 * MIB, "1048575").unit("bytes")
        .means("Largest request that is read from a client; a longer one closes the connection. ZooKeeper takes this only as a Java system property; here it may stand in the file.");
    LARGE_REQUEST = Key::int("largeRequestThreshold", Group::Limits, -1, I32_MAX, "-1").unit("bytes").live()
        .means("Longer requests count as large; -1 means that none does.");
    LARGE_REQUEST_BYTES = Key::int("largeRequestMaxBytes", Group::Limits, 1, i64::MAX, "104857600").unit("bytes").live()
        .means("Large requests that may wait for their answers, taken together. One that would exceed it closes its connection.");
    CONNECTION_OUTSTANDING = Key::int("connection.outstanding.requests", Group::Limits, 1, I32_MAX, "1000").unit("requests").live()
        .means("Requests of one connection, and so of one session, that may wait for their answers; while there are so many, the server does not read from it.");
    OUTSTANDING_LIMIT = Key::int("globalOutstandingLimit", Group::Limits, 0, I32_MAX, "0").unit("requests").live()
        .means("Requests of all connections that may wait for their answers; while there are so many, only connections are read that wait for nothing. 0 means no limit but that of outstanding.bytes: waiting requests cost memory here and no threads. In ZooKeeper the default is 1000.");
    OUTSTANDING_BYTES = Key::int("outstanding.bytes", Group::Limits, 64 * 1024, i64::MAX, "67108864").unit("bytes").live()
        .means("The same by bytes of requests.");
    REQUEST_THROTTLE = Key::int("request_throttle_max_requests", Group::Limits, 0, I32_MAX, "0").unit("requests").live()
        .means("ZooKeeper's second name for a limit on requests in progress; the lower of this and globalOutstandingLimit counts. 0 means no limit.");
    CONNECTION_UNSENT = Key::int("connection.unsent.bytes", Group::Limits, 2 * MIB, i64::MAX, "33554432").unit("bytes")
        .means("A client that leaves so many bytes of replies and events unread is disconnected. It is not read from 1 MiB on.");
    WATCHES_MAX = Key::int("watches.max", Group::Limits, 0, I32_MAX, "0").unit("watches").live()
        .means("Watches of this server's clients beyond which a request that sets a new one is answered with the error -127 (throttled) instead. Clients that reconnect keep theirs. 0 means no limit.");
    CONNECTION_WATCHES_MAX = Key::int("connection.watches.max", Group::Limits, 0, I32_MAX, "0").unit("paths").live()
        .means("The same for the paths that one connection watches.");
    MEMORY_REFUSE = Key::int("memory.refuse.percent", Group::Limits, 0, 100, "90").unit("%").live()
        .means("Share of memory.limit.bytes from which on memory is short. Then creates and sets of longer data are answered with the error -127 (throttled), and no new sessions are opened; reads, deletes and clients that come back go on. The leader refuses for all clients, another server for its own. 0 means never.");
    MEMORY_LIMIT = Key::int("memory.limit.bytes", Group::Limits, 0, i64::MAX, "0").unit("bytes").live()
        .means("Memory that the server may use. 0 means what its control group allows, or else what the machine has.");

    TICK_TIME = Key::int("tickTime", Group::Sessions, 1, 600_000, "3000").unit("ms")
        .means("Base unit of time; limits of the session timeout follow from it.");
    MIN_SESSION_TIMEOUT = Key::int("minSessionTimeout", Group::Sessions, -1, I32_MAX, "-1").unit("ms")
        .means("Shortest session timeout a client gets; -1 means 2 × tickTime.");
    MAX_SESSION_TIMEOUT = Key::int("maxSessionTimeout", Group::Sessions, -1, I32_MAX, "-1").unit("ms")
        .means("Longest session timeout a client gets; -1 means 20 × tickTime.");

    EXTENDED_TYPES = Key::bool("extendedTypesEnabled", Group::Tree, "false")
        .means("Allows nodes with a time to live. Without it their creation is answered as unimplemented.");
    ENFORCE_QUOTA = Key::bool("enforceQuota", Group::Tree, "false")
        .means("Refuses writes that exceed a hard quota. Soft quotas only warn, either way.");
    CONTAINER_CHECK_INTERVAL = Key::int("znode.container.checkIntervalMs", Group::Tree, 1, I32_MAX, "60000").unit("ms")
        .means("How often empty container nodes and nodes past their time to live are looked for.");
    CONTAINER_MAX_PER_MINUTE = Key::int("znode.container.maxPerMinute", Group::Tree, 1, I32_MAX, "10000").unit("nodes")
        .means("How many of them are deleted in a minute at most.");
    CONTAINER_MAX_NEVER_USED = Key::int("znode.container.maxNeverUsedIntervalMs", Group::Tree, 0, i64::MAX, "300000").unit("ms")
        .means("Age at which a container that never had a child is deleted; 0 keeps it for ever.");

    SUPER_DIGEST = Key::shaped("DigestAuthenticationProvider.superDigest", Group::Access,
            "super:<BASE64(SHA1(super:password))>", "super:D/InIHSb7yEEbrWz8b9l71RjZJU=", shape::super_digest)
        .secret()
        .means("The identity that may do everything: whoever adds digest authentication that hashes to this text is not checked against any ACL.");
    SKIP_ACL = Key::yes_no("skipACL", Group::Access, "no")
        .means("With `yes` no ACL is checked at all.");
    ENFORCE_AUTH = Key::bool("enforce.auth.enabled", Group::Access, "false")
        .means("Closes sessions that have not authenticated with one of enforce.auth.schemes when they ask for anything.");
    ENFORCE_AUTH_SCHEMES = Key::shaped("enforce.auth.schemes", Group::Access, "comma-separated schemes: digest, ip", "digest", shape::auth_schemes)
        .means("The schemes that count as authenticated; needed if enforce.auth.enabled is true.");

    LOG_DRIVER = Key::one_of("log.driver", Group::Log, &["auto", "uring-dsync", "uring-fdatasync", "thread"]).or("auto")
        .means("How the log reaches the disk. uring-dsync: one synchronous write per batch, the least work, and the fastest where the cores are not used up by others. uring-fdatasync: a write, then a sync. thread: a thread of its own that writes and syncs, the calmest on busy cores. auto: uring-dsync, and thread for as long as completions wait for a processor; each change is logged.");
    LOG_DURABILITY = Key::shaped("log.durability", Group::Log, "always | interval:<ms> | os", "always", shape::durability)
        .or_derived("always, or os if forceSync is no")
        .means("What an acknowledged write survives. always: everything, since it is on disk before the reply. interval:<ms>: the process being killed, but a crash of the machine loses at most that much time. os: the process being killed, but a crash of the machine loses what the system had not yet written.");
    FORCE_SYNC = Key::yes_no("forceSync", Group::Log, "yes")
        .means("ZooKeeper's switch for the same: `no` is log.durability=os.");
    LOG_BATCH_MAX_BYTES = Key::int("log.batch.max.bytes", Group::Log, 4_096, 16 * MIB, "262144").unit("bytes")
        .means("Largest batch that is written to the log in one operation. A single transaction may exceed it.");
    LOG_BATCH_MAX_DELAY = Key::int("log.batch.max.delay.us", Group::Log, 0, 100_000, "0").unit("µs")
        .means("How long the log may wait for more transactions before it writes a batch. With 0 it never waits: what arrives during a write forms the next batch.");
    LOG_SEGMENT_BYTES = Key::int("log.segment.bytes", Group::Log, MIB, 1024 * MIB, "67108864").unit("bytes")
        .means("Size of a log file, rounded up to 4096. Files are filled with zeros ahead of need and used again.");
    FSYNC_WARNING = Key::int("fsync.warningthresholdms", Group::Log, 1, I32_MAX, "1000").unit("ms")
        .means("A log write or sync that takes longer than this is reported in the server's messages and counted.");

    SNAP_COUNT = Key::int("snapCount", Group::Snapshots, 2, I32_MAX, "100000").unit("transactions")
        .means("Transactions after which a snapshot is taken.");
    SNAP_SIZE_LIMIT = Key::int("snapSizeLimitInKb", Group::Snapshots, -1, I32_MAX, "4194304").unit("KiB")
        .means("Bytes of log after which a snapshot is taken; 0 or less means never for that reason.");
    SNAP_RETAIN_COUNT = Key::int("autopurge.snapRetainCount", Group::Snapshots, 0, 1_000_000, "3").unit("snapshots")
        .means("Snapshots that are kept, with the log they need; fewer than 3 count as 3.");
    PURGE_INTERVAL = Key::shaped("autopurge.purgeInterval", Group::Snapshots, "hours, or a number with ms, s, m, h or d", "1", shape::purge_interval)
        .or("0")
        .no_effect("Ringkeeper purges after each snapshot, so nothing is left for an interval to do")
        .means("In ZooKeeper, the time between two purges.");
    SNAPSHOT_RATE = Key::int("snapshot.rate.bytes", Group::Snapshots, 0, i64::MAX, "134217728").unit("bytes/s")
        .means("How fast a snapshot is written at most, so that it does not take the disk from the log. 0 means no limit.");
    SNAPSHOT_ZSTD_LEVEL = Key::int("snapshot.zstd.level", Group::Snapshots, -7, 19, "1")
        .means("Level of zstd compression of snapshots; negative levels are faster and compress less.");

    PROFILE = Key::one_of("profile", Group::Executors, &["shared", "dedicated"]).or("shared")
        .means("What the machine's cores are for, from which client.cores follows. shared: they are few, or serve others too; one executor does everything. dedicated: they are for this server; half of them, at most 8, become client executors.");
    CLIENT_CORES = Key::int("client.cores", Group::Executors, 0, 128, "0").unit("cores").or_derived("0, or with profile=dedicated half of the cores")
        .means("Executors that serve clients besides the one that orders and logs. With 0 that one does everything, which is best on one or two cores; with more the tree is held in memory twice.");

    WORDS_WHITELIST = Key::shaped("4lw.commands.whitelist", Group::Operations, "comma-separated four-letter words, or *", "srvr,ruok,mntr", shape::words)
        .or("srvr").live()
        .means("The four-letter words that are answered; srvr always is.");
    ADMIN_ENABLE = Key::bool("admin.enableServer", Group::Operations, "false").or_derived("true if admin.serverPort is given, else false")
        .means("Serves the admin commands, /metrics and /health over HTTP. ZooKeeper up to 3.9 does that by default; here, as in 3.10, it is asked for, since it is open to whoever reaches the port. If the port is taken the server does not start.");
    ADMIN_PORT = Key::int("admin.serverPort", Group::Operations, 0, 65_535, "8080")
        .means("TCP port of the admin server. With 0 the system chooses a free one, which is logged.");
    ADMIN_ADDRESS = Key::text("admin.serverAddress", Group::Operations).or("0.0.0.0")
        .means("Address or host name on which the admin server listens; 127.0.0.1 keeps it to this machine.");
    ADMIN_COMMAND_URL = Key::shaped("admin.commandURL", Group::Operations, "a path", "/commands", admin::command_url).or("/commands")
        .means("The path below which the admin commands are.");
    ADMIN_IDLE = Key::int("admin.idleTimeout", Group::Operations, 1, I32_MAX, "30000").unit("ms")
        .means("A connection to the admin server or to the metrics on which nothing happens for so long is closed.");
    ADMIN_FORCE_HTTPS = Key::bool("admin.forceHttps", Group::Operations, "false")
        .means("The admin server speaks TLS, and nothing else: with the key, the certificates and the trusted authorities of ssl.quorum.*, which need not be in use between servers for it. They are read again as those are.");
    ADMIN_PORT_UNIFICATION = Key::bool("admin.portUnification", Group::Operations, "false")
        .means("The admin server takes connections with and without TLS; the first byte tells them apart. admin.forceHttps wins.");
    ADMIN_NEED_CLIENT_AUTH = Key::bool("admin.needClientAuth", Group::Operations, "false")
        .means("Whoever connects to the admin server with TLS must show a certificate of an authority in ssl.quorum.trustStore.location. With `Authorization: x509` its subject says who asks, as that of a client does.");
    ADMIN_SNAPSHOT = Key::bool("admin.snapshot.enabled", Group::Operations, "true")
        .means("Lets the admin command snapshot take snapshots and send them. Who asks must be the super user, or be named in the access list of / with all permissions.");
    ADMIN_RESTORE = Key::bool("admin.restore.enabled", Group::Operations, "true")
        .means("Lets the admin command restore replace the state of the whole ensemble by that of a snapshot. Who asks must be the super user, or be named in the access list of / with all permissions.");
    ADMIN_RATE = Key::int("admin.rateLimiterIntervalInMS", Group::Operations, 0, I32_MAX, "300000").unit("ms")
        .means("Least time between two snapshots that the admin server takes, and between two restores.");
    METRICS_PROVIDER = Key::text("metricsProvider.className", Group::Operations)
        .means("With `org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider`, ZooKeeper's name of it, /metrics is served for Prometheus on a port of its own. The admin server serves it too.");
    METRICS_PORT = Key::int("metricsProvider.httpPort", Group::Operations, 0, 65_535, "7000")
        .means("TCP port of the metrics. With 0 the system chooses a free one, which is logged.");
    METRICS_HOST = Key::text("metricsProvider.httpHost", Group::Operations).or("0.0.0.0")
        .means("Address or host name on which the metrics are served.");
    SLOW_REQUEST = Key::int("slow.request.threshold.ms", Group::Operations, 0, I32_MAX, "1000").unit("ms")
        .means("Requests that take at least so long, from their arrival to their answer, are logged with where the time went (ten a second at most), counted, and kept for the admin command slow_requests. 0: none is.");
    LOGGING_LEVEL = Key::shaped("logging.level", Group::Operations, "error | warn | info | debug | trace, or filter directives", "info", shape::log_filter)
        .or("info").live()
        .means("Which messages about itself the server writes to standard error. Directives such as `info,ringkeeper::executor=debug` select by part of the program.");
    LOGGING_FORMAT = Key::one_of("logging.format", Group::Operations, &["text", "json"]).or("text")
        .means("How those messages are written.");

    SERVER = Key::family("server.", Group::Ensemble)
        .means("A member, `server.N=host:quorumPort:electionPort[:role][;[clientHost:]clientPort]`, with N from 1 to 254; the role is participant or observer. Every server of an ensemble has the same lines, at least two; with one line or none the server stands alone. Servers talk to each other on quorumPort only; electionPort is not used. More addresses of the same server may follow behind `|`. The part behind the semicolon of this server's own line is clientPortAddress and clientPort.");
    DYNAMIC_CONFIG_FILE = Key::path("dynamicConfigFile", Group::Ensemble)
        .means("A file with the server lines, instead of this one. It is read and never written.");
    SERVER_ID = Key::int("server.id", Group::Ensemble, 1, 254, "1").or_derived("the number in the file dataDir/myid")
        .flagged("id")
        .means("Which of the server lines is this server's. The flag is `--id N`. If the file myid is there too, both must agree.");
    PEER_TYPE = Key::one_of("peerType", Group::Ensemble, &["participant", "observer"]).or("participant")
        .means("ZooKeeper's second place for the role of this server. What counts is its server line; if this is given it must agree.");
    QUORUM_LISTEN_ON_ALL = Key::bool("quorumListenOnAllIPs", Group::Ensemble, "false")
        .means("Listens for other servers on every address of the machine instead of only those of this server's line. For machines that are known to others by an address that they do not have themselves.");
    INIT_LIMIT = Key::int("initLimit", Group::Ensemble, 1, I32_MAX, "10").unit("ticks")
        .means("A new leader whose quorum has not caught up after so many times tickTime gives up, and another election follows. Raise it if snapshots are large and the network is slow.");
    SYNC_LIMIT = Key::int("syncLimit", Group::Ensemble, 1, I32_MAX, "5").unit("ticks")
        .no_effect(HEARTBEATS)
        .means("In ZooKeeper, the time by which a server may lag behind its leader.");
    ENSEMBLE_NAME = Key::shaped("ensemble.name", Group::Ensemble, "1 to 64 letters, digits, dots, dashes or underscores", "ringkeeper", shape::ensemble_name)
        .or("ringkeeper")
        .means("Servers of different names refuse each other. Give each ensemble a name of its own, so that a wrong address in a server line cannot mix two of them.");
    HEARTBEAT = Key::int("ensemble.heartbeat.ms", Group::Ensemble, 1, 60_000, "40").unit("ms")
        .means("Something is sent to each peer at least so often. More often finds a dead server sooner and costs a little processor time; at most half of ensemble.silence.min.ms.");
    SILENCE_MIN = Key::int("ensemble.silence.min.ms", Group::Ensemble, 2, 600_000, "250").unit("ms")
        .means("Silence of a peer that is always borne. Beyond it, and up to ensemble.silence.max.ms, the patience with a peer follows from how regularly it has been heard lately. Lower means a new leader sooner after a crash, but more often one that was not needed.");
    SILENCE_MAX = Key::int("ensemble.silence.max.ms", Group::Ensemble, 2, 600_000, "1500").unit("ms")
        .means("Silence of a peer that is never borne, however irregular it was before. Together with the election this is how long writes can stand still after a leader's machine has died. A leader whose own log stands still for longer than this, and than two seconds, gives way to another.");
    HOLD_CLIENTS = Key::int("ensemble.hold.clients.ms", Group::Ensemble, 0, 3_600_000, "5000").unit("ms")
        .means("How long the clients of a server without a leader keep their connections while a leader is elected. After it they are disconnected and try another server. With 0 they are disconnected at once, as by ZooKeeper.");
    READ_ONLY = Key::bool("readonlymode.enabled", Group::Ensemble, "false")
        .means("A server that has found no leader for two seconds (or tickTime, if that is longer) serves clients that connect as read-only: they read the last state that it knows, and writes are refused (-119) until it has a leader again. In ZooKeeper this takes localSessionsEnabled, too. As there, it may also be given as a Java system property.");
    HISTORY_BYTES = Key::int("ensemble.history.bytes", Group::Ensemble, 64 * 1024, 64 * 1024 * MIB, "67108864").unit("bytes")
        .means("Recent transactions that are kept in memory for servers that must catch up. One that missed more gets it from the log on disk, and a snapshot of the whole tree if the log does not reach back that far or would cost more.");
    BOOTSTRAP = Key::bool("ensemble.bootstrap", Group::Ensemble, "false")
        .flagged("bootstrap")
        .means("To be given once, as `--bootstrap true`, to a server that has stood alone and whose data is to be that of its new ensemble: with a majority of the voters, of which the others have no data, it founds the ensemble, and they get its data. Without it an ensemble is founded by servers that all have none. It has no effect on a server that belongs to an ensemble of several already.");
    REPAIR = Key::one_of("ensemble.repair", Group::Ensemble, &["auto", "refuse"]).or("auto")
        .means("What a server does that finds its log, its snapshots or its epoch record damaged when it starts, and has other voters to turn to. auto: what is damaged is put aside or overwritten, which is logged as an error, and the server gets it again from the leader; until then it does not vote. refuse: it does not start. A server that stands alone never starts on damaged data.");
}

/// Every setting that is known, those without effect included.
pub fn all() -> impl Iterator<Item = &'static Key> {
    HONOURED.iter().copied().chain(foreign::KEYS.iter())
}

/// The setting with this name: the exact one, with or without the `zookeeper.` prefix, or the family it belongs to.
pub fn find(name: &str) -> Option<&'static Key> {
    let bare = name.strip_prefix("zookeeper.").unwrap_or(name);
    // A longer family is the more special one: `ssl.quorum.` before `ssl.`.
    let family = || all().filter(|key| key.family && bare.starts_with(key.name)).max_by_key(|key| key.name.len());
    all().find(|key| !key.family && key.name == bare).or_else(family)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::key::{Effect, Fallback};

    #[test]
    fn names_flags_and_variables_are_unique() {
        let mut seen = BTreeSet::new();
        for key in all() {
            assert!(seen.insert(key.display_name()), "{} twice", key.name);
            assert!(key.flag().is_none_or(|flag| seen.insert(format!("--{flag}"))), "{}: flag twice", key.name);
        }
    }

    #[test]
    fn every_row_is_complete_and_its_default_valid() {
        for key in all() {
            if let Fallback::Value(value) = key.default {
                assert_eq!(key.check(value), Ok(()), "{}", key.name);
            }
            assert!(key.example().is_empty() || key.check(key.example()).is_ok(), "{}", key.name);
            if key.effect == Effect::Honoured {
                assert!(key.meaning.ends_with('.'), "{}: no meaning", key.name);
            }
        }
    }

    #[test]
    fn names_are_found_with_and_without_the_prefix() {
        assert_eq!(find("tickTime").map(|key| key.name), Some("tickTime"));
        assert_eq!(find("zookeeper.snapCount").map(|key| key.name), Some("snapCount"));
        assert_eq!(find("server.3").map(|key| key.name), Some("server."));
        assert_eq!(find("server.id").map(|key| key.name), Some("server.id"));
        assert_eq!(find("ssl.quorum.keyStore.location").map(|key| key.name), Some("ssl.quorum.keyStore.location"));
        assert_eq!(find("ssl.quorum.other").map(|key| key.name), Some("ssl.quorum."));
        assert!(find("ticktime").is_none());
        assert!(find("").is_none());
    }
}
