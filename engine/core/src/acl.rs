//! Who may do what: identities, access control lists, and the rules by which one is held against the other.
//!
//! Schemes known here: `world`, `auth` (only while a list is being made), `digest`, `ip`, `x509` where there is TLS, and
//! `super`, which passes everything. Identities of other schemes (`sasl`) can be held by a connection and are compared by
//! equality; a list that names them is refused, because no provider of them is registered.
//!
//! Source: `PrepRequestProcessor.fixupACL`, `ZooKeeperServer.checkACL`, `DigestAuthenticationProvider`,
//! `IPAuthenticationProvider`, `X509AuthenticationProvider`.

use crate::distinguished_name;
use crate::error_code::ErrorCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest as _, Sha1};
use std::sync::Arc;

/// The bits of [`Acl::perms`].
pub mod perms {
    /// Read data, children and the list itself.
    pub const READ: i32 = 1;
    /// Change the data.
    pub const WRITE: i32 = 2;
    /// Create children.
    pub const CREATE: i32 = 4;
    /// Delete children.
    pub const DELETE: i32 = 8;
    /// Change the list itself.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

/// One entry of an access control list: these identities may do that.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Acl {
    /// Union of [`perms`]. Other bits are kept as the client sent them and mean nothing.
    pub perms: i32,
    /// How `id` is to be read.
    pub scheme: Box<str>,
    /// The identity, in the scheme's own form.
    pub id: Box<str>,
}

/// A node's access control list. `None` is the open list, world:anyone with all permissions: by far the commonest.
pub type AclRef = Option<Arc<[Acl]>>;

/// An identity that a connection has proved.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Id {
    /// How `id` is to be read.
    pub scheme: Box<str>,
    /// The identity, in the scheme's own form.
    pub id: Box<str>,
}

impl Id {
    /// The identity `id` of `scheme`.
    #[must_use]
    pub fn new(scheme: &str, id: &str) -> Id {
        Id { scheme: scheme.into(), id: id.into() }
    }
}

impl Acl {
    /// The entry that gives `perms` to `id` of `scheme`.
    #[must_use]
    pub fn new(perms: i32, scheme: &str, id: &str) -> Acl {
        Acl { perms, scheme: scheme.into(), id: id.into() }
    }

    /// The only entry of the open list.
    #[must_use]
    pub fn open() -> Acl {
        Acl::new(perms::ALL, "world", "anyone")
    }

    fn is_open(&self) -> bool {
        self.perms == perms::ALL && is_world(&self.scheme, &self.id)
    }

    fn admits(&self, who: &[Id]) -> bool {
        if is_world(&self.scheme, &self.id) {
            return true;
        }
        let same_scheme = || who.iter().filter(|held| held.scheme == self.scheme);
        match &*self.scheme {
            "ip" => IpRange::parse(&self.id).is_some_and(|range| same_scheme().any(|held| range.contains(&held.id))),
            _ => same_scheme().any(|held| held.id == self.id),
        }
    }
}

/// Whether someone who holds the identities `who` may do what the bits `perm` stand for. One common bit is enough:
/// `READ | ADMIN` asks for either.
///
/// Source: surface 5.1. An empty list forbids nothing.
#[must_use]
pub fn allows(acl: &AclRef, perm: i32, who: &[Id]) -> bool {
    let Some(entries) = acl else { return (perms::ALL & perm) != 0 || is_super(who) };
    entries.is_empty() || is_super(who) || entries.iter().any(|entry| entry.perms & perm != 0 && entry.admits(who))
}

/// Makes the list that is stored from the list that a client has sent: duplicates go (the first stays), `auth` becomes
/// the sender's own identities, the open list becomes `None`. `x509` tells whether there is TLS, whose clients that scheme is for.
///
/// # Errors
/// [`ErrorCode::InvalidAcl`] for an empty list, an entry that no scheme accepts, and `auth` from someone who has not
/// authenticated.
pub fn fixup(acl: &[Acl], who: &[Id], x509: bool) -> Result<AclRef, ErrorCode> {
    if acl.is_empty() {
        return Err(ErrorCode::InvalidAcl);
    }
    let mut fixed: Vec<Acl> = Vec::with_capacity(acl.len());
    for (place, entry) in acl.iter().enumerate() {
        if acl[..place].contains(entry) {
            continue;
        }
        match &*entry.scheme {
            "world" if &*entry.id == "anyone" => fixed.push(entry.clone()),
            "auth" => expand_auth(entry.perms, who, &mut fixed)?,
            "digest" if is_valid_digest(&entry.id) => fixed.push(entry.clone()),
            "ip" if IpRange::parse(&entry.id).is_some() => fixed.push(entry.clone()),
            "x509" if x509 && distinguished_name::is_valid(&entry.id) => fixed.push(entry.clone()),
            _ => return Err(ErrorCode::InvalidAcl),
        }
    }
    match &fixed[..] {
        [only] if only.is_open() => Ok(None),
        _ => Ok(Some(fixed.into())),
    }
}

/// The digest scheme's identity for a credential `user:password`: `user:BASE64(SHA1(user:password))`. Without a colon
/// the whole is the user. Bytes that are not UTF-8 count as U+FFFD.
#[must_use]
pub fn digest_id(user_password: &[u8]) -> String {
    let text = String::from_utf8_lossy(user_password);
    let user = text.split(':').next().unwrap_or_default();
    let hash = Sha1::digest(text.as_bytes());
    format!("{user}:{}", BASE64.encode(hash))
}

/// The identities of a client that has shown a certificate with this subject in TLS. Its own is the `superUser` of
/// `X509AuthenticationProvider`, or another.
#[must_use]
pub fn of_certificate(subject: &str, super_user: Option<&str>) -> Vec<Id> {
    let boss = (super_user == Some(subject)).then(|| Id::new("super", subject));
    boss.into_iter().chain([Id::new("x509", subject)]).collect()
}

/// Answers an authentication packet (opcode 100) with the identities that the connection holds from then on.
/// `ip` brings none: each connection holds its address anyway.
///
/// # Errors
/// [`ErrorCode::AuthFailed`] for a scheme without a provider, and for `digest` without data.
pub fn authenticate(scheme: &str, data: Option<&[u8]>, super_digest: Option<&str>) -> Result<Vec<Id>, ErrorCode> {
    match (scheme, data) {
        ("digest", Some(credential)) => {
            let digest = digest_id(credential);
            let mut ids = Vec::with_capacity(2);
            if super_digest == Some(&*digest) {
                ids.push(Id::new("super", ""));
            }
            ids.push(Id::new("digest", &digest));
            Ok(ids)
        }
        ("ip", _) => Ok(Vec::new()),
        _ => Err(ErrorCode::AuthFailed),
    }
}

fn is_world(scheme: &str, id: &str) -> bool {
    scheme == "world" && id == "anyone"
}

fn is_super(who: &[Id]) -> bool {
    who.iter().any(|held| &*held.scheme == "super")
}

/// Adds one entry for each identity that its holder has proved with a credential (an address proves nothing).
fn expand_auth(perms: i32, who: &[Id], fixed: &mut Vec<Acl>) -> Result<(), ErrorCode> {
    let before = fixed.len();
    let proved = who.iter().filter(|held| matches!(&*held.scheme, "digest" | "sasl" | "x509"));
    fixed.extend(proved.map(|held| Acl { perms, scheme: held.scheme.clone(), id: held.id.clone() }));
    if fixed.len() == before { Err(ErrorCode::InvalidAcl) } else { Ok(()) }
}

/// Two parts with a colon between them; colons at the end do not count (Java's `split` drops empty parts there).
fn is_valid_digest(id: &str) -> bool {
    id.trim_end_matches(':').split(':').count() == 2
}

/// `addr` or `addr/bits`, both families in 16 bytes; an address of one family is never in a range of the other.
struct IpRange {
    addr: u128,
    /// Bits of `addr` that count, from the top; the family's full width if the text names none.
    bits: u32,
    v6: bool,
}

impl IpRange {
    fn parse(text: &str) -> Option<IpRange> {
        let (addr_text, bits_text) = match text.split_once('/') {
            Some((addr, bits)) => (addr, Some(bits)),
            None => (text, None),
        };
        let (addr, width, v6) = parse_addr(addr_text)?;
        let bits = match bits_text {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width)?,
            None => width,
        };
        Some(IpRange { addr, bits, v6 })
    }

    fn contains(&self, addr: &str) -> bool {
        let Some((addr, _, v6)) = parse_addr(addr) else { return false };
        let mask = if self.bits == 0 { 0 } else { u128::MAX << (128 - self.bits) };
        v6 == self.v6 && (addr ^ self.addr) & mask == 0
    }
}

/// The address at the top end of 128 bits, its width in bits, and whether it is of IPv6.
fn parse_addr(text: &str) -> Option<(u128, u32, bool)> {
    if text.contains(':') {
        return Some((parse_v6(text)?, 128, true));
    }
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = parts.next()?.parse().ok()?;
    }
    if parts.next().is_some() {
        return None;
    }
    Some((u128::from(u32::from_be_bytes(octets)) << 96, 32, false))
}

/// Hexadecimal groups with at most one `::`, which stands for at least one group. No embedded IPv4, no zone.
fn parse_v6(text: &str) -> Option<u128> {
    let (head, tail) = match text.split_once("::") {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    };
    let groups = |part: &str| -> Option<Vec<u16>> {
        if part.is_empty() { Some(Vec::new()) } else { part.split(':').map(parse_group).collect() }
    };
    let head = groups(head)?;
    let tail_groups = groups(tail.unwrap_or_default())?;
    let given = head.len() + tail_groups.len();
    if if tail.is_some() { given >= 8 } else { given != 8 } {
        return None;
    }
    let mut all = [0u16; 8];
    all[..head.len()].copy_from_slice(&head);
    all[8 - tail_groups.len()..].copy_from_slice(&tail_groups);
    Some(all.iter().fold(0, |addr, group| (addr << 16) | u128::from(*group)))
}

fn parse_group(text: &str) -> Option<u16> {
    if text.len() > 4 || text.starts_with('+') { None } else { u16::from_str_radix(text, 16).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(i32, &str, &str)]) -> AclRef {
        Some(entries.iter().map(|(perms, scheme, id)| Acl::new(*perms, scheme, id)).collect())
    }

    fn ids(ids: &[(&str, &str)]) -> Vec<Id> {
        ids.iter().map(|(scheme, id)| Id::new(scheme, id)).collect()
    }

    #[test]
    fn digests_are_those_of_zookeeper() {
        assert_eq!(digest_id(b"super:admin"), "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");
        assert_eq!(digest_id(b"user:a:b").split_once(':').unwrap().0, "user");
        assert!(digest_id(b"nocolon").starts_with("nocolon:"));
        assert_eq!(digest_id(b"a\xff:x"), digest_id("a\u{fffd}:x".as_bytes()));
    }

    #[test]
    fn authentication_gives_the_digest_and_perhaps_super() {
        let digest = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=";
        let both = authenticate("digest", Some(b"super:admin"), Some(digest)).unwrap();
        assert_eq!(both, ids(&[("super", ""), ("digest", digest)]));
        assert_eq!(authenticate("digest", Some(b"super:admin"), None).unwrap(), ids(&[("digest", digest)]));
        assert_eq!(authenticate("digest", Some(b"super:admi"), Some(digest)).unwrap().len(), 1);
        assert_eq!(authenticate("digest", None, Some(digest)), Err(ErrorCode::AuthFailed));
        assert_eq!(authenticate("ip", None, None), Ok(vec![]));
        for scheme in ["world", "super", "auth", "sasl", "x509", "", "Digest"] {
            assert_eq!(authenticate(scheme, Some(b"a:b"), Some(digest)), Err(ErrorCode::AuthFailed), "{scheme}");
        }
    }

    #[test]
    fn the_open_list_allows_everything_and_nothing_else_does() {
        assert!(allows(&None, perms::WRITE, &[]));
        assert!(allows(&list(&[]), perms::ADMIN, &[]));
        let read_only = list(&[(perms::READ, "world", "anyone")]);
        assert!(allows(&read_only, perms::READ, &[]));
        assert!(!allows(&read_only, perms::WRITE, &ids(&[("ip", "1.2.3.4"), ("digest", "a:b")])));
        assert!(allows(&read_only, perms::WRITE, &ids(&[("super", "")])));
        assert!(allows(&read_only, perms::READ | perms::ADMIN, &[]));
        assert!(!allows(&list(&[(31, "world", "somebody")]), perms::READ, &[]));
        assert!(!allows(&list(&[(0, "world", "anyone")]), perms::READ, &[]));
    }

    #[test]
    fn other_schemes_compare_by_equality_within_the_scheme() {
        let acl = list(&[(perms::READ, "digest", "u:h"), (perms::WRITE, "x509", "CN=a")]);
        assert!(allows(&acl, perms::READ, &ids(&[("ip", "::1"), ("digest", "u:h")])));
        assert!(!allows(&acl, perms::READ, &ids(&[("sasl", "u:h"), ("digest", "u:g")])));
        assert!(!allows(&acl, perms::WRITE, &ids(&[("digest", "u:h")])));
        assert!(allows(&acl, perms::WRITE, &ids(&[("x509", "CN=a")])));
    }

    #[test]
    fn addresses_match_by_prefix() {
        let cases = [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.0/8", "10.255.3.4", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.1.2.3/0", "99.0.0.1", true),
            ("192.168.129.0/17", "192.168.200.1", true),
            ("192.168.129.0/17", "192.168.127.1", false),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "1.2.3.4", false),
            ("::1", "0:0:0:0:0:0:0:1", true),
            ("2001:db8::/32", "2001:db8:ffff:0:0:0:0:1", true),
            ("2001:db8::/33", "2001:db8:ffff:0:0:0:0:1", false),
            ("fe80::1/128", "fe80:0:0:0:0:0:0:1", true),
            ("fe80::1/128", "fe80:0:0:0:0:0:0:2", false),
            ("fe80::1", "fe80::1%eth0", false),
        ];
        for (range, addr, expected) in cases {
            let acl = list(&[(perms::READ, "ip", range)]);
            assert_eq!(allows(&acl, perms::READ, &ids(&[("ip", addr)])), expected, "{addr} in {range}");
        }
    }

    #[test]
    fn address_texts_are_checked() {
        for good in ["1.2.3.4", "1.2.3.4/0", "1.2.3.4/32", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1::8/128", "a:B::c"]
        {
            assert!(fixup(&[Acl::new(31, "ip", good)], &[], false).is_ok(), "{good}");
        }
        let bad = [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.-1",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/",
            "1.2.3.4/8/8",
            "a",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1::2::3",
            "1:2:3:4:5:6:7::8",
            ":1",
            "12345::",
            "::g",
            "::1/129",
            "::ffff:1.2.3.4",
            "1:::2",
            "localhost",
        ];
        for bad in bad {
            assert_eq!(fixup(&[Acl::new(31, "ip", bad)], &[], false), Err(ErrorCode::InvalidAcl), "{bad}");
        }
    }

    #[test]
    fn digest_ids_have_exactly_two_parts() {
        for (id, valid) in
            [("u:h", true), (":h", true), ("u:h:", true), ("u:h::", true), ("u:", false), ("", false), (":", false)]
        {
            assert_eq!(fixup(&[Acl::new(1, "digest", id)], &[], false).is_ok(), valid, "{id:?}");
        }
        for id in ["u", "u:h:i", "u::h", "::"] {
            assert!(fixup(&[Acl::new(1, "digest", id)], &[], false).is_err(), "{id:?}");
        }
    }

    #[test]
    fn lists_lose_duplicates_and_become_none_when_open() {
        let (a, b) = (Acl::new(31, "digest", "a:b"), Acl::new(1, "world", "anyone"));
        let fixed = fixup(&[a.clone(), b.clone(), a.clone(), a.clone()], &[], false).unwrap();
        assert_eq!(fixed.as_deref(), Some(&[a.clone(), b][..]));
        assert_eq!(fixup(&[Acl::open(), Acl::open()], &[], false), Ok(None));
        assert_eq!(fixup(&[Acl::open(), a], &[], false).unwrap().unwrap().len(), 2);
        assert_eq!(fixup(&[], &[], false), Err(ErrorCode::InvalidAcl));
        let odd = Acl::new(255, "world", "anyone");
        assert_eq!(fixup(std::slice::from_ref(&odd), &[], false).unwrap().as_deref(), Some(&[odd][..]));
    }

    #[test]
    fn auth_stands_for_the_proved_identities() {
        let who = ids(&[("ip", "1.2.3.4"), ("digest", "a:x"), ("super", ""), ("sasl", "joe"), ("digest", "b:y")]);
        let fixed = fixup(&[Acl::new(7, "auth", "whatever")], &who, false).unwrap().unwrap();
        assert_eq!(
            &fixed[..],
            &[Acl::new(7, "digest", "a:x"), Acl::new(7, "sasl", "joe"), Acl::new(7, "digest", "b:y")]
        );
        assert_eq!(fixup(&[Acl::new(7, "auth", "")], &who[..1], false), Err(ErrorCode::InvalidAcl));
        assert_eq!(fixup(&[Acl::open(), Acl::new(7, "auth", "")], &[], false), Err(ErrorCode::InvalidAcl));
    }

    #[test]
    fn schemes_without_a_provider_are_refused() {
        for (scheme, id) in
            [("world", "x"), ("super", ""), ("sasl", "joe"), ("x509", "CN=a"), ("", ""), ("DIGEST", "a:b")]
        {
            assert_eq!(fixup(&[Acl::new(1, scheme, id)], &[], false), Err(ErrorCode::InvalidAcl), "{scheme}");
        }
    }

    #[test]
    fn subjects_of_certificates_are_identities_where_there_is_tls() {
        let entry = Acl::new(1, "x509", "CN=app,O=org");
        assert_eq!(fixup(std::slice::from_ref(&entry), &[], true).unwrap().as_deref(), Some(&[entry][..]));
        assert_eq!(fixup(&[Acl::new(1, "x509", "app")], &[], true), Err(ErrorCode::InvalidAcl));
        assert_eq!(of_certificate("CN=a", Some("CN=b")), ids(&[("x509", "CN=a")]));
        let boss = of_certificate("CN=b", Some("CN=b"));
        assert_eq!(boss, ids(&[("super", "CN=b"), ("x509", "CN=b")]));
        assert!(allows(&list(&[(0, "x509", "CN=a")]), perms::ADMIN, &boss));
    }
}
