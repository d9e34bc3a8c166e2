//! A line cut into words, by the rule of `zkCli.sh`.
//!
//! A word goes on to the next blank; quotes within it are letters like others, so that JSON needs no escapes. A word that begins
//! with a quote, single or double, goes on to the next quote of the same kind. There are no escapes.

use thiserror::Error;

/// A quote without its counterpart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the {quote} at column {column} has no counterpart")]
pub struct Unterminated {
    quote: char,
    column: usize,
}

/// Cuts a line.
///
/// # Errors
/// [`Unterminated`]
pub fn split(line: &str) -> Result<Vec<String>, Unterminated> {
    let (mut words, mut rest) = (Vec::new(), line.trim_start());
    while let Some(first) = rest.chars().next() {
        let (word, after) = if matches!(first, '"' | '\'') {
            let column = line[..line.len() - rest.len()].chars().count() + 1;
            rest[1..].split_once(first).ok_or(Unterminated { quote: first, column })?
        } else {
            rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()))
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(words)
}

/// A word as it has to be written to be read back, as far as that is possible: one with blanks and both kinds of quotes is not.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && !word.starts_with(['"', '\'']) && !word.contains(char::is_whitespace);
    match plain {
        true => word.to_owned(),
        false if word.contains('\'') => format!("\"{word}\""),
        false => format!("'{word}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        split(line).unwrap()
    }

    #[test]
    fn blanks_separate_and_quotes_join() {
        assert_eq!(words("  get   -s\t/a "), ["get", "-s", "/a"]);
        assert_eq!(words("create /a 'x y' \"it's\""), ["create", "/a", "x y", "it's"]);
        assert_eq!(words("create /a ''"), ["create", "/a", ""]);
        assert_eq!(words(" "), Vec::<String>::new());
    }

    #[test]
    fn quotes_within_a_word_are_letters() {
        assert_eq!(words(r#"set /a {"k":"v"}"#), ["set", "/a", r#"{"k":"v"}"#]);
        assert_eq!(words(r#"set /a ab"c d""#), ["set", "/a", "ab\"c", "d\""]);
        assert_eq!(words(r"set /a a\ b"), ["set", "/a", r"a\", "b"]);
        assert_eq!(words(r#""a"b"#), ["a", "b"]);
    }

    #[test]
    fn a_lone_quote_is_told() {
        let error = split("create /ü \"open").unwrap_err();
        assert_eq!(error.to_string(), "the \" at column 11 has no counterpart");
    }

    #[test]
    fn quoted_words_are_read_back() {
        for word in ["/a", "", "x y", "it's mine", "'", "\"x\"", "a'b"] {
            assert_eq!(words(&quoted(word)), [word], "{word}");
        }
    }
}
