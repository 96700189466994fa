//! Documents that are kept: JSON with a number `schema`.

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
