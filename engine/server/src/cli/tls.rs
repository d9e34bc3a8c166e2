//! Flags of commands that speak TLS with servers.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, value_parser};

use crate::tls::ClientTls;

/// Whom to trust, and what to show.
pub(super) fn arguments() -> [Arg; 2] {
    let file = |name| Arg::new(name).long(name).value_name("FILE").value_parser(value_parser!(PathBuf));
    [
        file("tls-ca")
            .help("Speak TLS, with servers whose certificates are of an authority in this file (PEM or PKCS12)"),
        file("tls-cert").requires("tls-ca").help("Certificate and key to show to them, both in this file"),
    ]
}

/// What was given, if TLS is to be spoken.
pub(super) fn given(arguments: &ArgMatches) -> Option<ClientTls> {
    let path = |name: &str| arguments.get_one::<PathBuf>(name).cloned();
    path("tls-ca").map(|authorities| ClientTls::of_files(authorities, path("tls-cert")))
}
