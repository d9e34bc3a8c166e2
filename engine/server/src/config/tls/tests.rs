//! What TLS is made of as it is configured.

use super::*;
use crate::config::tests::{refused, valid};

const STORES: &str = "secureClientPort=2281\nssl.keyStore.location=/k.pem\nssl.trustStore.location=/t.pem\n";

fn tls(text: &str) -> (Tls, Vec<String>) {
    let (config, warnings) = valid(&format!("dataDir=/d\n{STORES}{text}"));
    (config.tls.unwrap(), warnings)
}

#[test]
fn zookeepers_settings_are_honoured() {
    let (config, warnings) = valid(&format!(
        "dataDir=/d\n{STORES}secureClientPortAddress=[::1]\nssl.keyStore.password=hunter2\n\
         ssl.trustStore.passwordPath=/p\nssl.clientAuth=want\nclient.certReload=true\n\
         netty.server.outstandingHandshake.limit=7\nssl.ciphersuites=TLS_AES_128_GCM_SHA256, X"
    ));
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(config.clients.secure, Some(Address { host: Some("::1".to_owned()), port: 2281 }));
    assert!(!config.clients.plain, "as in ZooKeeper, who gives only a TLS port gets no other");
    assert!(config.settings.effective().iter().all(|setting| !setting.value.contains("hunter2")));
    let tls = config.tls.unwrap();
    assert_eq!(tls.key_store.password, Password::Is("hunter2".to_owned()));
    assert_eq!(tls.trust_store.unwrap().password, Password::In("/p".into()));
    assert_eq!((tls.client_auth, tls.follow_files, tls.max_handshakes), (ClientAuth::Want, true, 7));
    assert_eq!(tls.cipher_suites.unwrap(), ["TLS_AES_128_GCM_SHA256", "X"]);
}

#[test]
fn there_is_no_tls_unless_asked_for() {
    let (config, _) = valid("dataDir=/d\nssl.keyStore.location=/k.pem\nclient.portUnification=false");
    assert_eq!((config.tls, config.clients.plain, config.clients.unified), (None, true, false));
}

#[test]
fn both_ports_and_one_port_for_both() {
    let (config, _) = valid(&format!("dataDir=/d\n{STORES}clientPort=2181"));
    assert!(config.clients.plain && !config.clients.unified);
    let stores = STORES.replace("secureClientPort=2281", "client.portUnification=true");
    let (config, _) = valid(&format!("dataDir=/d\n{stores}"));
    assert!(config.clients.plain && config.clients.unified && config.tls.is_some());
    assert!(refused(&format!("dataDir=/d\n{STORES}clientPort=2281"))[0].contains("is clientPort too"));
}

#[test]
fn what_is_missing_is_said() {
    let errors = refused("dataDir=/d\nsecureClientPort=2281");
    assert!(errors[0].contains("needs the server's key") && errors[1].contains("ssl.clientAuth=none"), "{errors:?}");
    let errors = refused("dataDir=/d\nsecureClientPort=2281\nssl.clientAuth=none");
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[test]
fn protocols_are_the_newest_or_a_list() {
    let spoken = |text: &str| {
        let (tls, warnings) = tls(text);
        ((tls.v12, tls.v13), warnings.len())
    };
    assert_eq!(spoken(""), ((true, true), 0));
    assert_eq!(spoken("ssl.protocol=TLSv1.3"), ((true, true), 0));
    assert_eq!(spoken("ssl.protocol=TLSv1.2"), ((true, false), 0));
    assert_eq!(spoken("ssl.enabledProtocols=TLSv1.3"), ((false, true), 0));
    assert_eq!(spoken("ssl.enabledProtocols=TLSv1.1,TLSv1.2"), ((true, false), 1));
    let errors = refused(&format!("dataDir=/d\n{STORES}ssl.enabledProtocols=TLSv1.1"));
    assert!(errors[0].contains("no protocol"), "{errors:?}");
}

#[test]
fn what_would_check_less_than_asked_for_is_refused() {
    for text in ["ssl.crl=true", "ssl.ocsp=true", "ssl.authProvider=mine", "ssl.allowReverseDnsLookup=true", {
        "ssl.context.supplier.class=x"
    }] {
        assert!(refused(&format!("dataDir=/d\n{STORES}{text}"))[0].contains("cannot be honoured"), "{text}");
    }
    let provider = "authProvider.x509=org.apache.zookeeper.server.auth.X509AuthenticationProvider";
    for text in ["ssl.crl=false", "ssl.keyStore.type=PKCS12", "ssl.authProvider=x509", provider] {
        assert_eq!(tls(text).1, Vec::<String>::new(), "{text}");
    }
    let errors = refused(&format!("dataDir=/d\n{STORES}ssl.trustStore.type=jks"));
    assert!(errors[0].contains("keytool -importkeystore"), "{errors:?}");
    assert!(tls("ssl.sslProvider=OPENSSL").1[0].contains("has no effect"));
}

/// An ensemble of three with TLS between its servers.
fn peers(text: &str) -> (PeerTls, Vec<String>) {
    let (config, warnings) = valid(&format!("{SERVERS}{text}"));
    (config.ensemble.unwrap().tls.unwrap(), warnings)
}

const SERVERS: &str = "dataDir=/d\nserver.id=1\nserver.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\n\
    ssl.quorum.keyStore.location=/k.pem\nssl.quorum.trustStore.location=/t.pem\n";

#[test]
fn servers_have_settings_of_their_own() {
    let (peers, warnings) = peers(
        "sslQuorum=true\nssl.keyStore.location=/other\nssl.quorum.keyStore.password=hunter2\n\
         ssl.quorum.trustStore.passwordPath=/p\nsslQuorumReloadCertFiles=true\nssl.quorum.protocol=TLSv1.2\n\
         ssl.quorum.ciphersuites=X\nssl.quorum.handshakeDetectionTimeoutMillis=70\nssl.quorum.allowReverseDnsLookup=false",
    );
    assert_eq!((peers.dial, peers.or_plain, warnings), (true, false, Vec::<String>::new()));
    let tls = peers.tls;
    assert_eq!((tls.whom, tls.client_auth, tls.follow_files), (Whom::Servers, ClientAuth::Need, true));
    assert_eq!((tls.key_store.path, tls.key_store.password), ("/k.pem".into(), Password::Is("hunter2".to_owned())));
    assert_eq!(tls.trust_store.unwrap().password, Password::In("/p".into()));
    assert_eq!((tls.v12, tls.v13, tls.cipher_suites), (true, false, Some(vec!["X".to_owned()])));
    assert_eq!((tls.handshake_timeout, tls.max_handshakes), (Duration::from_millis(70), 0));
}

#[test]
fn tls_between_servers_is_wanted_accepted_or_neither() {
    let spoken = |text: &str| {
        let (config, _) = valid(&format!("{SERVERS}{text}"));
        let ensemble = config.ensemble.unwrap();
        (ensemble.tls.as_ref().map(|tls| (tls.dial, tls.or_plain)), ensemble.role().contains("TLS"))
    };
    assert_eq!(spoken("sslQuorum=false"), (None, false));
    assert_eq!(spoken("portUnification=true"), (Some((false, true)), true));
    assert_eq!(spoken("sslQuorum=true\nportUnification=true"), (Some((true, true)), true));
    assert_eq!(spoken("sslQuorum=true"), (Some((true, false)), true));
    let (_, warnings) = valid("dataDir=/d\nsslQuorum=true");
    assert!(warnings[0].contains("stands alone has no ensemble"), "{warnings:?}");
}

#[test]
fn names_of_servers_are_looked_at_unless_they_are_not_to_be() {
    let looked_at = |text: &str| {
        let tls = peers(&format!("sslQuorum=true\n{text}")).0.tls;
        (tls.verify_connected, tls.verify_accepted)
    };
    assert_eq!(looked_at(""), (true, true));
    assert_eq!(looked_at("ssl.quorum.hostnameVerification=false"), (false, false));
    assert_eq!(looked_at("ssl.quorum.clientHostnameVerification=false"), (true, false));
    let only_clients = "ssl.quorum.hostnameVerification=false\nssl.quorum.clientHostnameVerification=true";
    assert_eq!(looked_at(only_clients), (false, true));
    assert!(peers("sslQuorum=true\nssl.quorum.clientAuth=none").1[0].contains("pretend to be one of them"));
}

#[test]
fn what_is_missing_between_servers_is_said() {
    let without = |what: &str| {
        let text = SERVERS.lines().filter(|line| !line.contains(what)).collect::<Vec<_>>().join("\n");
        refused(&format!("{text}\nportUnification=true")).join("; ")
    };
    let (key, trust) = (without("keyStore"), without("trustStore"));
    assert!(
        key.contains("portUnification=true needs the server's key") && key.contains("ssl.quorum.keyStore"),
        "{key}"
    );
    assert!(
        trust.contains("the other servers may have") && trust.contains("ssl.quorum.trustStore.location"),
        "{trust}"
    );
    for setting in ["ssl.quorum.crl=true", "ssl.quorum.ocsp=true", "ssl.quorum.context.supplier.class=x"] {
        assert!(refused(&format!("{SERVERS}sslQuorum=true\n{setting}"))[0].contains("cannot be honoured"), "{setting}");
    }
}
