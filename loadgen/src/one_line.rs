//! JSON on one line, however the document around it is laid out: for lists that only programs read.

use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// For `serialize_with`.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let text = serde_json::to_string(value).map_err(S::Error::custom)?;
    RawValue::from_string(text).map_err(S::Error::custom)?.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    #[derive(Serialize)]
    struct Listed(#[serde(serialize_with = "super::serialize")] Vec<(f64, u64)>);

    #[test]
    fn a_list_takes_one_line_of_a_document_and_is_the_same_list() {
        let listed = [Listed(vec![(0.0, 1), (1.0, 2)])];
        assert_eq!(serde_json::to_string_pretty(&listed).unwrap(), "[\n  [[0.0,1],[1.0,2]]\n]");
        assert_eq!(serde_json::to_value(&listed).unwrap(), serde_json::json!([[[0.0, 1], [1.0, 2]]]));
    }
}
