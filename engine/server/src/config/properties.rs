//! The file syntax of `zoo.cfg`: Java's properties format, as far as ZooKeeper uses it (all of it).
//!
//! One logical line is one entry. `#` or `!` as the first visible character makes a comment. A key ends at the first
//! unescaped `=`, `:` or white space. A line that ends with an odd number of backslashes goes on in the next one, whose
//! indentation is dropped. Keys and values are trimmed, as ZooKeeper does after reading them.

/// One `key=value` of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, unescaped and trimmed.
    pub key: String,
    /// The value, unescaped and trimmed; empty if the line had none.
    pub value: String,
    /// The line on which the entry starts, counted from 1.
    pub line: u32,
}

/// A line that is not in the properties syntax.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`\\u` must be followed by four hexadecimal digits")]
pub struct SyntaxError {
    /// The line on which the entry starts, counted from 1.
    pub line: u32,
}

/// The text of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text, without a byte order mark.
    pub text: String,
    /// The first line that is not UTF-8, if there is one: then all of it is read as Latin-1.
    pub latin1_since: Option<u32>,
}

/// A file that is no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is a zero byte: this is not a text file, or it is in UTF-16")]
pub struct NotText {
    /// The line of the zero byte, counted from 1.
    pub line: u32,
}

/// UTF-8 where it is valid, otherwise Latin-1 as Java reads it. Bytes of a path never get lost.
pub fn decode(bytes: &[u8]) -> Result<Decoded, NotText> {
    let line_of = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u32 + 1;
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(NotText { line: line_of(at) });
    }
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => Decoded { text: text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(), latin1_since: None },
        Err(error) => Decoded {
            text: bytes.iter().map(|byte| char::from(*byte)).collect(),
            latin1_since: Some(line_of(error.valid_up_to())),
        },
    })
}

/// All entries of a file in their order, duplicates included.
pub fn parse(text: &str) -> Result<Vec<Entry>, SyntaxError> {
    let mut entries = Vec::new();
    let mut lines = natural_lines(text);
    while let Some((line, first)) = lines.next() {
        let first = trim_start(first);
        if first.is_empty() || first.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = first.to_owned();
        while ends_with_odd_backslashes(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(trim_start(next));
        }
        if !logical.is_empty() {
            entries.push(split(&logical, line)?);
        }
    }
    Ok(entries)
}

/// Lines ended by `\n`, `\r` or `\r\n`, with their numbers.
fn natural_lines(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let mut rest = Some(text);
    let mut number = 0;
    std::iter::from_fn(move || {
        let current = rest?;
        number += 1;
        let Some(end) = current.find(['\n', '\r']) else {
            rest = None;
            return Some((number, current));
        };
        let after = if current[end..].starts_with("\r\n") { end + 2 } else { end + 1 };
        rest = Some(&current[after..]);
        Some((number, &current[..end]))
    })
}

/// Java's white space within a line.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn trim_start(line: &str) -> &str {
    line.trim_start_matches(is_blank)
}

fn ends_with_odd_backslashes(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Cuts a logical line at the end of its key and resolves the escapes of both halves.
fn split(logical: &str, line: u32) -> Result<Entry, SyntaxError> {
    let mut escaped = false;
    let mut key_end = logical.len();
    for (at, c) in logical.char_indices() {
        if !escaped && (is_blank(c) || matches!(c, '=' | ':')) {
            key_end = at;
            break;
        }
        escaped = !escaped && c == '\\';
    }
    let after = trim_start(&logical[key_end..]);
    let value = trim_start(after.strip_prefix(['=', ':']).unwrap_or(after));
    let key = unescape(&logical[..key_end], line)?.trim().to_owned();
    let value = unescape(value, line)?.trim().to_owned();
    Ok(Entry { key, value, line })
}

fn unescape(raw: &str, line: u32) -> Result<String, SyntaxError> {
    if !raw.contains('\\') {
        return Ok(raw.to_owned());
    }
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut chars = raw.chars();
    let push = |units: &mut Vec<u16>, c: char| units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut units, c);
            continue;
        }
        match chars.next() {
            Some('t') => push(&mut units, '\t'),
            Some('n') => push(&mut units, '\n'),
            Some('r') => push(&mut units, '\r'),
            Some('f') => push(&mut units, '\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let valid = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| valid);
                units.push(unit.ok_or(SyntaxError { line })?);
            }
            Some(other) => push(&mut units, other),
            None => {}
        }
    }
    // A lone surrogate can be written in Java's format but means nothing.
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Java's `Properties.load` makes of the text, followed by ZooKeeper's trimming.
    fn check(text: &str, expected: &[(&str, &str, u32)]) {
        let entries = parse(text).unwrap();
        let got: Vec<_> = entries.iter().map(|e| (e.key.as_str(), e.value.as_str(), e.line)).collect();
        assert_eq!(got, expected, "{text:?}");
    }

    #[test]
    fn plain_lines_comments_and_blank_lines() {
        check(
            "tickTime=2000\n\n# a comment \\\n ! another\r\n\tdataDir=/x\r",
            &[("tickTime", "2000", 1), ("dataDir", "/x", 5)],
        );
    }

    #[test]
    fn every_separator_and_only_one_of_them() {
        check(
            "a=1\nb:2\nc 3\nd = 4\ne  :  5\nf==6\ng\nh = : 7",
            &[
                ("a", "1", 1),
                ("b", "2", 2),
                ("c", "3", 3),
                ("d", "4", 4),
                ("e", "5", 5),
                ("f", "=6", 6),
                ("g", "", 7),
                ("h", ": 7", 8),
            ],
        );
    }

    #[test]
    fn continuation_lines_lose_their_indentation_and_count_from_the_first() {
        check("list=a,\\\n   b,\\\n\tc\nnext=1", &[("list", "a,b,c", 1), ("next", "1", 4)]);
        check("even=x\\\\\nnext=1", &[("even", "x\\", 1), ("next", "1", 2)]);
        check("last=x\\", &[("last", "x", 1)]);
        check("a=b\\\n#not a comment", &[("a", "b#not a comment", 1)]);
    }

    #[test]
    fn escapes() {
        check("a\\ b\\=c=d\\te\\u0041\\q", &[("a b=c", "d\teAq", 1)]);
        check("emoji=\\ud83d\\ude00", &[("emoji", "\u{1f600}", 1)]);
        assert_eq!(parse("x=1\ny=\\u12g4"), Err(SyntaxError { line: 2 }));
        assert_eq!(parse("y=\\u12"), Err(SyntaxError { line: 1 }));
    }

    #[test]
    fn trailing_space_is_trimmed_and_server_lines_keep_their_colons() {
        check(
            "tickTime=2000  \t\nserver.1=a:2888:3888;2181",
            &[("tickTime", "2000", 1), ("server.1", "a:2888:3888;2181", 2)],
        );
    }

    #[test]
    fn text_is_utf8_or_else_latin1() {
        let text = |text: &str, latin1_since| Ok(Decoded { text: text.to_owned(), latin1_since });
        assert_eq!(decode("dataDir=/dät".as_bytes()), text("dataDir=/dät", None));
        assert_eq!(decode(b"a=b\ndataDir=/d\xe4t"), text("a=b\ndataDir=/dät", Some(2)));
        assert_eq!(decode(b"\xef\xbb\xbfa=b"), text("a=b", None));
        assert_eq!(decode(b"a=b\n\0"), Err(NotText { line: 2 }));
    }
}
