//! What a certificate says: whose it is, in the words of ZooKeeper, and when it is valid.

use std::fmt::Write;

use ringkeeper_core::acl::{self, Id};
use ringkeeper_core::ids::WallMs;
use x509_parser::asn1_rs::{Any, Oid, Tag};
use x509_parser::oid_registry;
use x509_parser::parse_x509_certificate;
use x509_parser::x509::X509Name;

/// The attribute types that RFC 2253 has a word for. The others are written as numbers, and their values in hexadecimal.
const WORDS: [(Oid<'static>, &str); 9] = [
    (oid_registry::OID_X509_COMMON_NAME, "CN"),
    (oid_registry::OID_X509_COUNTRY_NAME, "C"),
    (oid_registry::OID_X509_LOCALITY_NAME, "L"),
    (oid_registry::OID_X509_STATE_OR_PROVINCE_NAME, "ST"),
    (oid_registry::OID_X509_ORGANIZATION_NAME, "O"),
    (oid_registry::OID_X509_ORGANIZATIONAL_UNIT, "OU"),
    (oid_registry::OID_X509_STREET_ADDRESS, "STREET"),
    (oid_registry::OID_DOMAIN_COMPONENT, "DC"),
    (oid_registry::OID_USERID, "UID"),
];

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// Whose it is.
    pub(super) subject: String,
    /// It is valid from then on.
    pub(super) begins: WallMs,
    /// It is valid until then.
    pub(super) ends: WallMs,
}

/// Reads a certificate (DER); `None` if it is none.
pub(super) fn facts(der: &[u8]) -> Option<Facts> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    let wall = |seconds: i64| WallMs(seconds.saturating_mul(1000));
    let validity = certificate.validity();
    Some(Facts {
        subject: java_name(certificate.subject()),
        begins: wall(validity.not_before.timestamp()),
        ends: wall(validity.not_after.timestamp()),
    })
}

/// Who a client is that has shown this certificate, or none.
pub(crate) fn identities(der: Option<&[u8]>, super_user: Option<&str>) -> Vec<Id> {
    let subject = der.and_then(facts).map(|facts| facts.subject);
    subject.map_or_else(Vec::new, |subject| acl::of_certificate(&subject, super_user))
}

/// A subject as ZooKeeper has it in ACLs: the last part first.
///
/// Source: Java's `X500Principal.getName`, that is RFC 2253 with the liberties that `sun.security.x509.AVA` takes.
fn java_name(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|part| part.iter().map(|a| attribute(a.attr_type(), a.attr_value())).collect::<Vec<_>>().join("+"))
        .collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(kind: &Oid<'_>, value: &Any<'_>) -> String {
    let word = WORDS.iter().find(|(oid, _)| oid == kind).map(|(_, word)| *word);
    match (word, text(value)) {
        (Some(word), Some(text)) => format!("{word}={}", escaped(&text)),
        (word, _) => {
            let mut out = word.map_or_else(|| kind.to_id_string(), str::to_owned);
            out.push_str("=#");
            let bytes = encoded(value);
            bytes.iter().for_each(|byte| {
                let _ = write!(out, "{byte:02x}");
            });
            out
        }
    }
}

/// The text of the kinds of strings that names are made of; Java takes the bytes of each for UTF-8.
fn text(value: &Any<'_>) -> Option<String> {
    let is_text = matches!(
        value.tag(),
        Tag::PrintableString
            | Tag::Utf8String
            | Tag::T61String
            | Tag::Ia5String
            | Tag::GeneralString
            | Tag::BmpString
            | Tag::UniversalString
    );
    is_text.then(|| String::from_utf8_lossy(value.data).into_owned())
}

/// Tag, length and content.
fn encoded(value: &Any<'_>) -> Vec<u8> {
    let content = value.data;
    let class = if value.header.is_constructed() { 0x20 } else { 0 };
    let mut out = vec![value.tag().0 as u8 | class];
    match content.len() {
        short @ ..0x80 => out.push(short as u8),
        long => {
            let bytes = long.to_be_bytes();
            let bytes = &bytes[bytes.iter().position(|byte| *byte != 0).unwrap_or(0)..];
            out.push(0x80 | bytes.len() as u8);
            out.extend_from_slice(bytes);
        }
    }
    out.extend_from_slice(content);
    out
}

/// With a backslash before what has a meaning in names, and before spaces at either end.
fn escaped(text: &str) -> String {
    let is_space = |c: char| c == ' ' || c == '\r';
    let inner = text.trim_matches(is_space);
    let lead = text.len() - text.trim_start_matches(is_space).len();
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if ",=+<>#;\"\\".contains(c) || at < lead || at >= lead + inner.len() {
            out.push('\\');
        }
        match c {
            '\0' => out.push_str("\\00"),
            c => out.push(c),
        }
    }
    out
}
