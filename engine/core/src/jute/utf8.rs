//! Text from the wire.

use std::borrow::Cow;

/// The text of bytes that should be UTF-8. What is not becomes U+FFFD, as many as in Java: one per longest beginning of
/// a character, and one, not three, per surrogate (the Java client sends a character above U+FFFF as two of them).
/// ZooKeeper echoes such text (sync) and compares it (ACLs), so the number matters.
///
/// Source: `new String(bytes, UTF_8)` of OpenJDK 17, compared on all strings of up to 4 out of 25 telling bytes.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(replace_invalid(bytes)),
    }
}

#[cold]
fn replace_invalid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        match core::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return text;
            }
            Err(error) => {
                let (valid, invalid) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                text.push(char::REPLACEMENT_CHARACTER);
                let len = surrogate_len(invalid).or(error.error_len()).unwrap_or(invalid.len());
                rest = &invalid[len..];
            }
        }
    }
}

/// Length of the surrogate at the start of `bytes`, which may lack its third byte.
fn surrogate_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..] => Some(3),
        [0xED, 0xA0..=0xBF, ..] => Some(2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;
    use std::borrow::Cow;

    #[test]
    fn valid_text_is_borrowed() {
        for text in ["", "/a", "/näme", "/\u{10ffff}", "\0"] {
            assert!(matches!(decode(text.as_bytes()), Cow::Borrowed(t) if t == text), "{text:?}");
        }
    }

    #[test]
    fn invalid_text_is_replaced_as_java_does() {
        let cases: &[(&[u8], usize)] = &[
            (b"\x80", 1),
            (b"\xff\xff", 2),
            (b"\xc0\x80", 2),
            (b"\xe0\x80\x80", 3),
            (b"\xe1\x80", 1),
            (b"\xed\xa0", 1),
            (b"\xed\xa0\xbd", 1),
            (b"\xed\xa0\xbd\xed\xb8\x80", 2),
            (b"\xed\xa0\xed", 2),
            (b"\xed\x80", 1),
            (b"\xf0\x9f\x98", 1),
            (b"\xf4\x90\x80\x80", 4),
            (b"\xf5\x80", 2),
        ];
        for (bytes, marks) in cases {
            let framed = [b"/a", *bytes, b"b"].concat();
            assert_eq!(decode(&framed), format!("/a{}b", "\u{fffd}".repeat(*marks)), "{bytes:x?}");
        }
        assert_eq!(decode(b"/\xed\xa0\xbd"), "/\u{fffd}", "at the end");
        assert_eq!(decode(b"/\xed\xa0"), "/\u{fffd}", "cut short at the end");
    }
}
