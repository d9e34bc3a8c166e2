//! Values that have a shape of their own: their types, how they are read, and what is said of those that do not fit.

use std::time::Duration;

use super::key::parse_int;
use crate::four_letter::Word;

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It is on disk before it is acknowledged.
    Always,
    /// It is on disk at most this long after it is acknowledged.
    Interval(Duration),
    /// The operating system writes it when it likes.
    Os,
}

impl Durability {
    /// The promise in words, for the line at start.
    pub fn promise(self) -> String {
        match self {
            Durability::Always => "always: an acknowledged write is on disk".to_owned(),
            Durability::Interval(period) => format!(
                "interval:{}: an acknowledged write survives the end of this process; a crash of the machine can lose the last {} ms",
                period.as_millis(),
                period.as_millis()
            ),
            Durability::Os => {
                "os: an acknowledged write survives the end of this process; a crash of the machine can lose \
                               what the system had not yet written"
                    .to_owned()
            }
        }
    }

    /// Reads `always`, `interval:<ms>` or `os`.
    pub fn parse(text: &str) -> Result<Durability, String> {
        match text {
            "always" => return Ok(Durability::Always),
            "os" => return Ok(Durability::Os),
            _ => {}
        }
        let millis = text.strip_prefix("interval:").ok_or("is neither always nor interval:<ms> nor os")?;
        match parse_int(millis) {
            Some(millis @ 1..=60_000) => Ok(Durability::Interval(Duration::from_millis(millis.unsigned_abs()))),
            _ => Err("needs a whole number of milliseconds from 1 to 60000 after interval:".to_owned()),
        }
    }
}

/// For the table: whether the text is a [`Durability`].
pub fn durability(text: &str) -> Result<(), String> {
    Durability::parse(text).map(drop)
}

/// For the table: whether the text is a super user's digest identity.
pub fn super_digest(text: &str) -> Result<(), String> {
    let Some((user, digest)) = text.split_once(':') else {
        return Err("has no colon between the user and the digest".to_owned());
    };
    // SHA-1 is 20 bytes, which is 27 characters of base64 and one of padding.
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let valid = digest.len() == 28 && digest.ends_with('=') && digest.bytes().take(27).all(base64);
    if user.is_empty() || !valid {
        return Err(
            "is not a user, a colon and the base64 of a SHA-1 hash (a plain password does not belong here)".to_owned()
        );
    }
    Ok(())
}

/// The parts of a comma-separated list, trimmed, without the empty ones.
pub fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// For the table: schemes that a client can authenticate with.
pub fn auth_schemes(text: &str) -> Result<(), String> {
    match list(text).find(|scheme| !matches!(*scheme, "digest" | "ip" | "x509")) {
        Some(scheme) => Err(format!("names the scheme {scheme}, which is not available")),
        None => Ok(()),
    }
}

/// For the table: four-letter words.
pub fn words(text: &str) -> Result<(), String> {
    match list(text).find(|word| *word != "*" && Word::named(word).is_none()) {
        Some(word) => Err(format!("contains {word}, which is not a four-letter word")),
        None => Ok(()),
    }
}

/// For the table: the name of an ensemble.
pub fn ensemble_name(text: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    match text.bytes().find(|byte| !allowed(*byte)) {
        _ if text.is_empty() => Err("is empty".to_owned()),
        _ if text.len() > 64 => Err("is longer than 64 characters".to_owned()),
        Some(_) => Err("contains something else than letters, digits, dots, dashes and underscores".to_owned()),
        None => Ok(()),
    }
}

/// For the table: ZooKeeper's purge interval.
pub fn purge_interval(text: &str) -> Result<(), String> {
    let number = ["ms", "s", "m", "h", "d"].iter().find_map(|unit| text.strip_suffix(unit)).unwrap_or(text);
    match parse_int(number) {
        Some(0..) => Ok(()),
        _ => Err("is not a whole number of hours".to_owned()),
    }
}

/// For the table: a filter of log messages.
pub fn log_filter(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    tracing_subscriber::EnvFilter::try_new(text).map(drop).map_err(|error| format!("is not a filter: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durability_is_one_of_three() {
        assert_eq!(Durability::parse("always"), Ok(Durability::Always));
        assert_eq!(Durability::parse("os"), Ok(Durability::Os));
        assert_eq!(Durability::parse("interval:250"), Ok(Durability::Interval(Duration::from_millis(250))));
        for bad in ["", "never", "interval", "interval:", "interval:0", "interval:-5", "interval:60001", "interval:5ms"]
        {
            assert!(Durability::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_super_digest_is_not_a_password() {
        assert_eq!(super_digest("super:D/InIHSb7yEEbrWz8b9l71RjZJU="), Ok(()));
        for bad in ["super", "super:secret", ":D/InIHSb7yEEbrWz8b9l71RjZJU=", "super:D/InIHSb7yEEbrWz8b9l71RjZJU"] {
            assert!(super_digest(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists_intervals_and_filters() {
        assert!(words("srvr, mntr ,,*").is_ok());
        assert_eq!(words("srvr,reboot"), Err("contains reboot, which is not a four-letter word".to_owned()));
        assert!(auth_schemes("digest,ip").is_ok());
        assert!(auth_schemes("sasl").is_err());
        for good in ["0", "24", "500ms", "1d"] {
            assert!(purge_interval(good).is_ok(), "{good}");
        }
        for bad in ["", "h", "-1", "1w"] {
            assert!(purge_interval(bad).is_err(), "{bad}");
        }
        assert!(log_filter("info,ringkeeper=debug").is_ok());
        assert!(log_filter("ringkeeper=loud").is_err());
    }
}
