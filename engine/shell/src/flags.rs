//! Flags of a command told from its operands, by the rules of the library that zkCli.sh uses: flags may stand anywhere behind the
//! command, `-sw` is `-s -w`, a value may be attached (`-v3`, `-v=3`), and what follows `--` are operands.

use thiserror::Error;

/// A flag that a command knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flag {
    /// Without the dash.
    pub name: &'static str,
    /// What its value is called, if it has one.
    pub value: Option<&'static str>,
    /// What it does.
    pub about: &'static str,
}

/// Why words are not flags and operands of a command.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FlagError {
    /// A flag that the command does not know.
    #[error("Unrecognized option: {0}")]
    Unknown(String),
    /// A flag without its value.
    #[error("Missing argument for option: {0}")]
    NoValue(String),
}

/// Flags and operands of a command.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Parsed {
    /// Names and values, in order.
    pub flags: Vec<(&'static str, Option<String>)>,
    /// The other words.
    pub operands: Vec<String>,
}

impl Parsed {
    /// Whether a flag was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(given, _)| *given == name)
    }

    /// The values of a flag, in order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.flags.iter().filter(move |(given, _)| *given == name).filter_map(|(_, value)| value.as_deref())
    }
}

/// Tells flags from operands in what follows a command.
///
/// # Errors
/// [`FlagError`]
pub fn parse(known: &[Flag], words: &[String]) -> Result<Parsed, FlagError> {
    let mut parsed = Parsed::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            parsed.operands.extend(words.cloned());
            break;
        }
        match word.strip_prefix('-') {
            // A negative number is a value, not a flag.
            Some(rest) if !rest.is_empty() && rest.parse::<f64>().is_err() => {
                one(known, word, rest, &mut words, &mut parsed)?;
            }
            _ => parsed.operands.push(word.clone()),
        }
    }
    Ok(parsed)
}

/// Takes one word with a dash: a flag, a flag with its value, or several flags.
fn one<'w>(
    known: &[Flag],
    word: &str,
    rest: &str,
    words: &mut impl Iterator<Item = &'w String>,
    parsed: &mut Parsed,
) -> Result<(), FlagError> {
    let find = |name: &str| known.iter().find(|flag| flag.name == name);
    if let Some(flag) = find(rest) {
        let value = match flag.value {
            None => None,
            Some(_) => Some(words.next().cloned().ok_or_else(|| FlagError::NoValue(flag.name.to_owned()))?),
        };
        parsed.flags.push((flag.name, value));
        return Ok(());
    }
    if let Some((flag, value)) = rest.split_once('=').and_then(|(name, value)| Some((find(name)?, value)))
        && flag.value.is_some()
    {
        parsed.flags.push((flag.name, Some(value.to_owned())));
        return Ok(());
    }
    let mut letters = rest.char_indices();
    let mut several = Vec::new();
    while let Some((at, letter)) = letters.next() {
        let flag = find(&rest[at..at + letter.len_utf8()]).ok_or_else(|| FlagError::Unknown(word.to_owned()))?;
        if flag.value.is_some() {
            let attached = letters.as_str();
            let attached = (!attached.is_empty()).then(|| attached.to_owned());
            let value =
                attached.or_else(|| words.next().cloned()).ok_or_else(|| FlagError::NoValue(flag.name.into()))?;
            several.push((flag.name, Some(value)));
            break;
        }
        several.push((flag.name, None));
    }
    parsed.flags.extend(several);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Flag] = &[
        Flag { name: "s", value: None, about: "" },
        Flag { name: "w", value: None, about: "" },
        Flag { name: "v", value: Some("version"), about: "" },
        Flag { name: "file", value: Some("path"), about: "" },
    ];

    fn parsed(line: &str) -> Result<(String, Vec<String>), FlagError> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let parsed = parse(KNOWN, &words)?;
        let flags = parsed.flags.iter().map(|(name, value)| match value {
            None => format!("{name} "),
            Some(value) => format!("{name}={value} "),
        });
        Ok((flags.collect(), parsed.operands))
    }

    #[test]
    fn flags_may_stand_anywhere() {
        let expected = ("s v=3 ".to_owned(), vec!["/a".to_owned(), "data".to_owned()]);
        for line in
            ["/a data -s -v 3", "-s /a -v 3 data", "-s -v3 /a data", "-s -v=3 /a data", "-sv 3 /a data", "-sv3 /a data"]
        {
            assert_eq!(parsed(line).unwrap(), expected, "{line}");
        }
        assert_eq!(parsed("-file x").unwrap().0, "file=x ");
        assert_eq!(parsed("-sw /a").unwrap().0, "s w ");
    }

    #[test]
    fn negative_numbers_and_what_follows_two_dashes_are_operands() {
        assert_eq!(parsed("/a -1 -v -1").unwrap(), ("v=-1 ".to_owned(), vec!["/a".to_owned(), "-1".to_owned()]));
        assert_eq!(parsed("-- -s -").unwrap().1, ["-s", "-"]);
        assert_eq!(parsed("-").unwrap().1, ["-"]);
    }

    #[test]
    fn what_is_no_flag() {
        assert_eq!(parsed("-z /a"), Err(FlagError::Unknown("-z".into())));
        assert_eq!(parsed("-sz /a"), Err(FlagError::Unknown("-sz".into())));
        assert_eq!(parsed("--watch"), Err(FlagError::Unknown("--watch".into())));
        assert_eq!(parsed("/a -v"), Err(FlagError::NoValue("v".into())));
    }
}
