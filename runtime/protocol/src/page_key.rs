//! A place in a long list.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::VmId;

/// A place in the list: what names the last VM of a page for certain, its id or its process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PageKey(String);

/// No key that an earlier page could have named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place in the list of VMs")]
pub struct BadPageKey(String);

impl PageKey {
    /// More than an id and more than `process-` with a process id.
    const LONGEST: usize = 32;

    /// Of a VM that has this id and this process.
    pub(super) fn of(id: Option<&VmId>, pid: Option<u32>) -> Self {
        Self(match (id, pid) {
            (Some(id), _) => id.to_string(),
            (None, Some(pid)) => format!("process-{pid}"),
            (None, None) => String::new(),
        })
    }
}

impl FromStr for PageKey {
    type Err = BadPageKey;

    fn from_str(text: &str) -> Result<Self, BadPageKey> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.len() <= Self::LONGEST && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(BadPageKey(text.chars().take(Self::LONGEST).collect()))
        }
    }
}

impl TryFrom<String> for PageKey {
    type Error = BadPageKey;

    fn try_from(text: String) -> Result<Self, BadPageKey> {
        text.parse()
    }
}

impl From<PageKey> for String {
    fn from(key: PageKey) -> Self {
        key.0
    }
}
