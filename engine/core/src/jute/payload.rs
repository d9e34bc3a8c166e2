//! Payloads on the byte stream: an `i32` length before each.

use super::primitive::{ReadError, Writer};

/// Bytes of the length.
pub const PREFIX_LEN: usize = 4;

/// Appends one payload that `write` makes, with its length before it.
///
/// # Panics
/// If the payload reaches 2 GiB.
pub fn append_payload(out: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) {
    let start = out.len();
    let mut w = Writer::new(out);
    w.i32(0);
    write(&mut w);
    let len = i32::try_from(w.position() - start - PREFIX_LEN).expect("a payload is below 2 GiB");
    w.patch_i32(start, len);
}

/// The first payload of received bytes, or `None` if it is not yet complete; it takes [`PREFIX_LEN`] bytes more than
/// its own. The length is judged as soon as it is there.
///
/// # Errors
/// [`ReadError::BadLength`] if the payload's length is negative or above `max`: the connection is to be closed.
pub fn first_payload(bytes: &[u8], max: usize) -> Result<Option<&[u8]>, ReadError> {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX_LEN>() else {
        return Ok(None);
    };
    let len = i32::from_be_bytes(*prefix);
    match usize::try_from(len) {
        Ok(len) if len <= max => Ok(rest.get(..len)),
        _ => Err(ReadError::BadLength(len)),
    }
}
