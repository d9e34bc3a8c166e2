//! ACLs as text: `scheme:id:perms`, separated by commas.

use ringkeeper_client::Acl;
use thiserror::Error;

/// Letters and bits of the permissions, in the order in which they are printed.
const PERMS: [(char, i32); 5] = [('c', 4), ('d', 8), ('r', 1), ('w', 2), ('a', 16)];

/// Why a text is no ACL. `zkCli.sh` leaves out what it does not understand; an ACL with a part missing protects nothing, so here
/// it is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum AclError {
    /// Not three parts.
    #[error("{0} does not have the form scheme:id:perm")]
    Form(String),
    /// A letter that is no permission.
    #[error("Unknown perm type: {0}")]
    Perm(char),
}

/// Reads an ACL. The id may contain colons, as that of the scheme digest does.
///
/// # Errors
/// [`AclError`]
pub fn parse(text: &str) -> Result<Vec<Acl>, AclError> {
    text.split(',').map(entry).collect()
}

fn entry(text: &str) -> Result<Acl, AclError> {
    let bad = || AclError::Form(text.to_owned());
    let (scheme, rest) = text.split_once(':').ok_or_else(bad)?;
    let (id, perms) = rest.rsplit_once(':').ok_or_else(bad)?;
    let bit =
        |letter| PERMS.iter().find(|(known, _)| *known == letter).map(|(_, bit)| *bit).ok_or(AclError::Perm(letter));
    let perms = perms.chars().map(bit).try_fold(0, |all, bit| bit.map(|bit| all | bit))?;
    Ok(Acl { perms, scheme: scheme.to_owned(), id: id.to_owned() })
}

/// Permission bits as letters.
#[must_use]
pub fn letters(perms: i32) -> String {
    PERMS.iter().filter(|(_, bit)| perms & bit != 0).map(|(letter, _)| letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acls_are_read() {
        let acl = parse("world:anyone:cdrwa,digest:u:x9=:r,auth::rw").unwrap();
        let entries: Vec<_> = acl.iter().map(|acl| (acl.scheme.as_str(), acl.id.as_str(), acl.perms)).collect();
        assert_eq!(entries, [("world", "anyone", 31), ("digest", "u:x9=", 1), ("auth", "", 3)]);
        assert_eq!(parse("ip:::1:r").unwrap()[0].id, "::1");
        assert_eq!(parse("world:anyone:").unwrap()[0].perms, 0);
    }

    #[test]
    fn what_is_no_acl() {
        for bad in ["bogus", "world:anyone", "", "world:anyone:r,"] {
            assert!(matches!(parse(bad), Err(AclError::Form(_))), "{bad}");
        }
        assert_eq!(parse("world:anyone:rz"), Err(AclError::Perm('z')));
    }

    #[test]
    fn permissions_are_printed_in_zookeepers_order() {
        assert_eq!(letters(31), "cdrwa");
        assert_eq!(letters(3), "rw");
        assert_eq!(letters(0), "");
    }
}
