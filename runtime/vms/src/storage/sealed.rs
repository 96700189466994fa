//! JSON that knows whether it was damaged: an object with a member `checksum` over the others.
//!
//! The checksum is over what the members say and not over how they are laid out, and members that
//! this version does not know count too. So a file that a later version added members to is whole,
//! and one of version 0.1.0, which has no checksum, is taken as it is.

use banger_installer_host::{Digest, write_document};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The member that holds it.
const CHECKSUM: &str = "checksum";

/// Why a file is not what was written.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not JSON of the shape that is written there.
    #[error(transparent)]
    Shape(#[from] serde_json::Error),
    /// It says something else than what was written.
    #[error("its checksum is not that of what it says")]
    Checksum,
}

/// The text of `value`, an object, with its checksum.
///
/// # Errors
/// What serde says of a value that is no JSON object.
pub fn seal(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut value = serde_json::to_value(value)?;
    let checksum = checksum(&value);
    if let Some(members) = value.as_object_mut() {
        members.insert(CHECKSUM.into(), checksum.into());
    }
    write_document(&value)
}

/// Reads what [`seal`] wrote.
///
/// # Errors
/// [`SealError`].
pub fn unseal<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, SealError> {
    let mut value: Value = serde_json::from_slice(bytes)?;
    let found = value
        .as_object_mut()
        .and_then(|members| members.remove(CHECKSUM));
    if found.is_some_and(|found| found != checksum(&value).as_str()) {
        return Err(SealError::Checksum);
    }
    Ok(serde_json::from_value(value)?)
}

fn checksum(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    Digest::from_bytes(Sha256::digest(text).into()).to_string()
}

/// One text for one value: members by name, whatever order the parser keeps them in.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in members {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write_canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write_canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        simple => text.push_str(&simple.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_members_and_the_white_space_count_for_nothing() {
        let sealed = seal(&json!({"b": [1, {"d": null, "c": "x"}], "a": true})).unwrap();
        let value: Value = unseal(&sealed).unwrap();
        assert_eq!(value, json!({"a": true, "b": [1, {"c": "x", "d": null}]}));
        let checksum = serde_json::from_slice::<Value>(&sealed).unwrap()["checksum"].clone();
        let other = format!(r#"{{"b":[1,{{"c":"x","d":null}}], "checksum":{checksum},"a":true}}"#);
        assert_eq!(unseal::<Value>(other.as_bytes()).unwrap(), value);
    }

    #[test]
    fn a_member_that_is_changed_added_or_taken_away_is_noticed() {
        let sealed = seal(&json!({"a": 1, "b": "x"})).unwrap();
        let sealed: Value = serde_json::from_slice(&sealed).unwrap();
        let changes: [fn(&mut Value); 4] = [
            |value| value["a"] = 2.into(),
            |value| value["c"] = 1.into(),
            |value| value["checksum"] = Value::Null,
            |value| drop(value.as_object_mut().unwrap().remove("b")),
        ];
        for change in changes {
            let mut damaged = sealed.clone();
            change(&mut damaged);
            let read = unseal::<Value>(damaged.to_string().as_bytes());
            assert!(matches!(read, Err(SealError::Checksum)), "{damaged}");
        }
    }

    #[test]
    fn what_has_no_checksum_is_taken_as_it_is() {
        assert_eq!(unseal::<Value>(br#"{"a":1}"#).unwrap(), json!({"a": 1}));
        assert!(unseal::<Value>(b"{").is_err() && unseal::<Value>(b"").is_err());
    }
}
