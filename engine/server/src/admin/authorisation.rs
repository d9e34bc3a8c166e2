//! Who may take the whole state away: the header `Authorization: <scheme> <credential>`, held against the access list of
//! the root.
//!
//! ZooKeeper is content if the list lets anybody do everything, which the one of a new server does: whoever reaches the
//! port then gets all data. Here the list has to name who asks, or it is the super user.

use ringkeeper_core::acl::{Acl, AclRef, Id, allows, authenticate, perms};
use std::net::SocketAddr;
use thiserror::Error;

/// Who asks.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) addr: SocketAddr,
    /// What the certificate says that was shown, if one was.
    pub(super) identities: Vec<Id>,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Denied {
    /// Nobody says who asks.
    #[error("say who asks: Authorization: digest <user>:<password>, or ip, or x509 with a certificate")]
    Unknown,
    /// Whoever it is may not.
    #[error(
        "this identity may not: it must be the super user, or the access list of / must give it all permissions (cdrwa) \
         by name"
    )]
    NotGranted,
}

/// Whether whoever asks may have the whole state.
pub(super) fn check(
    authorization: Option<&str>,
    caller: &Caller,
    root: &AclRef,
    super_digest: Option<&str>,
) -> Result<(), Denied> {
    let (scheme, credential) = match authorization.map(|text| text.split_once(' ').unwrap_or((text, ""))) {
        Some((scheme, credential)) => (scheme.to_ascii_lowercase(), credential.trim()),
        None => return Err(Denied::Unknown),
    };
    let who = match &*scheme {
        "digest" if !credential.is_empty() => {
            authenticate("digest", Some(credential.as_bytes()), super_digest).map_err(|_| Denied::Unknown)?
        }
        "ip" => vec![Id::new("ip", &caller.addr.ip().to_canonical().to_string())],
        "x509" if !caller.identities.is_empty() => caller.identities.clone(),
        _ => return Err(Denied::Unknown),
    };
    if is_granted(root, &who) { Ok(()) } else { Err(Denied::NotGranted) }
}

/// All five permissions, by entries that name somebody.
fn is_granted(root: &AclRef, who: &[Id]) -> bool {
    let is_super = who.iter().any(|id| &*id.scheme == "super");
    let named: Vec<Acl> =
        root.iter().flat_map(|acl| acl.iter()).filter(|entry| &*entry.scheme != "world").cloned().collect();
    let all = [perms::READ, perms::WRITE, perms::CREATE, perms::DELETE, perms::ADMIN];
    is_super || !named.is_empty() && all.iter().all(|perm| allows(&Some(named.clone().into()), *perm, who))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringkeeper_core::acl::digest_id;

    /// Somebody of this machine.
    fn caller(identities: Vec<Id>) -> Caller {
        Caller { addr: ([127, 0, 0, 1], 7).into(), identities }
    }

    fn acl(entries: &[(i32, &str, &str)]) -> AclRef {
        Some(entries.iter().map(|(perms, scheme, id)| Acl::new(*perms, scheme, id)).collect())
    }

    #[test]
    fn the_list_must_name_who_asks() {
        let anna = digest_id(b"anna:secret");
        let check = |header: Option<&str>, root: &AclRef| check(header, &caller(Vec::new()), root, Some("super:x"));
        let named = acl(&[(31, "digest", &anna), (31, "world", "anyone")]);
        assert_eq!(check(Some("digest anna:secret"), &named), Ok(()));
        assert_eq!(check(Some("Digest anna:secret"), &named), Ok(()));
        assert_eq!(check(Some("digest anna:wrong"), &named), Err(Denied::NotGranted));
        assert_eq!(check(Some("digest anna:secret"), &None), Err(Denied::NotGranted), "the open list names nobody");
        assert_eq!(check(Some("digest anna:secret"), &acl(&[(15, "digest", &anna)])), Err(Denied::NotGranted));
        let in_two = acl(&[(15, "digest", &anna), (16, "ip", "127.0.0.1")]);
        assert_eq!(check(Some("digest anna:secret"), &in_two), Err(Denied::NotGranted), "one identity at a time");
        assert_eq!(check(Some("ip"), &acl(&[(31, "ip", "127.0.0.0/8")])), Ok(()));
        for header in [None, Some(""), Some("digest"), Some("digest "), Some("basic YTpi"), Some("x509 cn")] {
            assert_eq!(check(header, &named), Err(Denied::Unknown), "{header:?}");
        }
    }

    #[test]
    fn the_super_user_may() {
        let digest = digest_id(b"super:admin");
        assert_eq!(check(Some("digest super:admin"), &caller(Vec::new()), &None, Some(&digest)), Ok(()));
        assert_eq!(check(Some("digest super:admin"), &caller(Vec::new()), &None, None), Err(Denied::NotGranted));
    }

    #[test]
    fn a_certificate_says_who_asks_if_that_is_wanted() {
        let check = |header, id: Id, root: &AclRef| check(Some(header), &caller(vec![id]), root, None);
        let (me, root) = (Id::new("x509", "CN=me"), acl(&[(31, "x509", "CN=me")]));
        assert_eq!(check("x509", me.clone(), &root), Ok(()));
        assert_eq!(check("x509", Id::new("x509", "CN=you"), &root), Err(Denied::NotGranted));
        assert_eq!(check("x509", Id::new("super", "CN=admin"), &None), Ok(()));
        assert_eq!(check("ip", me, &root), Err(Denied::NotGranted), "one identity at a time");
    }
}
