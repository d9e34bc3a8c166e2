//! Names of certificates' subjects as text: `CN=app,OU=team,O=org`. Only whether a text is one; equal names are equal texts.
//!
//! Source: `X509AuthenticationProvider.isValid`, which asks Java's `X500Principal`.

/// The attribute types that Java knows by a word.
const KEYWORDS: [&str; 21] = [
    "CN",
    "C",
    "L",
    "S",
    "ST",
    "O",
    "OU",
    "T",
    "IP",
    "STREET",
    "DC",
    "DNQUALIFIER",
    "DNQ",
    "SURNAME",
    "GIVENNAME",
    "INITIALS",
    "GENERATION",
    "EMAIL",
    "EMAILADDRESS",
    "UID",
    "SERIALNUMBER",
];

/// Whether the text is a distinguished name; the empty one is.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    text.is_empty() || attributes(text).is_some_and(|all| all.iter().all(|attribute| is_attribute(attribute)))
}

/// The parts between commas, semicolons and plus signs that are neither quoted nor escaped; `None` if a quote or an escape does
/// not end.
fn attributes(text: &str) -> Option<Vec<&str>> {
    let (mut parts, mut begin, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' | ';' | '+' if !quoted => {
                parts.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (!quoted && !escaped).then_some(parts)
}

fn is_attribute(text: &str) -> bool {
    let Some((kind, _)) = text.split_once('=') else { return false };
    let kind = kind.trim();
    let number = kind.strip_prefix("OID.").or_else(|| kind.strip_prefix("oid.")).unwrap_or(kind);
    KEYWORDS.iter().any(|word| word.eq_ignore_ascii_case(kind)) || is_object_identifier(number)
}

fn is_object_identifier(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.contains('.') && text.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    /// Verdicts are those of `new X500Principal(text)` of Java 17.
    #[test]
    fn names_are_told_from_other_texts() {
        for name in [
            "",
            "CN=a",
            "cn=a,o=b",
            "CN=a+OU=b, O=c",
            "CN=Doe\\, John,DC=example,DC=com",
            "CN=\"Doe, John\";C=DE",
            "1.2.840.113549.1.9.1=#160161,CN=a",
            "OID.2.5.4.5=7",
            "UID=x,ST=y,STREET=z,L=w",
        ] {
            assert!(is_valid(name), "{name:?}");
        }
        for text in ["x", "x=y", "CN", "=a", "CN=a,,O=b", "CN=a,", "CN=\"a", "CN=a\\", "anyone", "1=a", "1..2=a", " "] {
            assert!(!is_valid(text), "{text:?}");
        }
    }
}
