//! Documents that are kept: JSON with a number `schema`.

use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The `schema` of a JSON document, read before anything else: a later one may have any other shape.
///
/// # Errors
/// When the bytes are no JSON object with such a number.
pub fn schema_of(bytes: &[u8]) -> Result<u32, serde_json::Error> {
    #[derive(serde::Deserialize)]
    struct Schema {
        schema: u32,
    }
    let Schema { schema } = serde_json::from_slice(bytes)?;
    Ok(schema)
}

/// Reads a document of one of the schemas that this program knows.
///
/// # Errors
/// `shape` of what is no JSON of that shape, `other` of any other schema.
pub fn read_document<T: DeserializeOwned, E>(
    bytes: &[u8],
    known: RangeInclusive<u32>,
    shape: impl Fn(serde_json::Error) -> E,
    other: impl FnOnce(u32) -> E,
) -> Result<T, E> {
    let found = schema_of(bytes).map_err(&shape)?;
    if !known.contains(&found) {
        return Err(other(found));
    }
    serde_json::from_slice(bytes).map_err(shape)
}

/// The bytes of a document: pretty JSON with a final newline.
///
/// # Errors
/// When the value cannot be said in JSON, say for a map with keys that are no text.
pub fn write_document(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<serde_json::Value, String> {
        let shape = |error: serde_json::Error| format!("shape: {error}");
        read_document(text.as_bytes(), 1..=2, shape, |found| format!("{found}"))
    }

    #[test]
    fn a_document_is_read_when_its_schema_is_known_whatever_shape_another_one_has() {
        assert!(read(r#"{"schema":1}"#).is_ok());
        assert!(read(r#"{"schema":2,"more":[]}"#).is_ok());
        assert_eq!(read(r#"{"schema":0}"#), Err("0".into()));
        assert_eq!(read(r#"{"schema":3,"x":{}}"#), Err("3".into()));
        for text in ["", "[]", "{}", r#"{"schema":-1}"#, r#"{"schema":"1"}"#] {
            assert!(
                read(text).is_err_and(|error| error.starts_with("shape")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = write_document(&serde_json::json!({ "schema": 1 })).unwrap();
        assert!(bytes.ends_with(b"}\n"));
        assert!(read(&String::from_utf8(bytes).unwrap()).is_ok());
    }
}
