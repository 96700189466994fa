//! Whether this version can read the records that lie on the host.
//!
//! Guarantees: nothing is made or changed, no socket is opened, and no path outside of the helper's own
//! folder, which only root can write, is looked at.

use banger_installer_host::StateAnswer;

use super::{Loaded, Places, StorageError, Store};

/// What this version says of the root helper's state: of the records of VMs. A damaged record is no
/// matter of the version; the other files are written anew where they cannot be read. There is no
/// migration in this version: it reads the schema that it writes.
///
/// # Errors
/// [`StorageError::Io`], when the VMs cannot be listed.
pub fn check_state(places: Places) -> Result<StateAnswer, StorageError> {
    let foreign = Store::reading(places)
        .load()?
        .into_iter()
        .filter_map(|loaded| match loaded {
            Loaded::Broken {
                error: StorageError::Schema { found, known, .. },
                ..
            } => Some((found, known)),
            _ => None,
        });
    let highest = foreign.max();
    Ok(highest.map_or(StateAnswer::Compatible, |(found, reads)| {
        StateAnswer::Cannot { found, reads }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"schema":1,"id":"00112233445566aa","name":"web","cpus":2,
        "memory_mib":512,"uid":600000,"state":"stopped","reason":null,
        "boot_id":"5d2b9c0e-7c1f-4f1e-9a55-0f8f3c2b1a00","started":null,
        "process":null,"scope":null}"#;

    fn said(records: &[&str]) -> StateAnswer {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::new(folder.path().join("state"), folder.path().join("run"));
        for (number, text) in records.iter().enumerate() {
            let id = format!("00112233445566a{number}").parse().unwrap();
            std::fs::create_dir_all(places.vm(&id)).unwrap();
            std::fs::write(
                places.record(&id),
                text.replace("66aa", &format!("66a{number}")),
            )
            .unwrap();
        }
        let made = folder.path().join("state").exists();
        let answer = check_state(places.clone()).unwrap();
        assert_eq!(places.state().exists(), made, "it makes something");
        answer
    }

    #[test]
    fn records_of_another_schema_cannot_be_read_and_damaged_ones_are_no_matter_of_the_version() {
        assert_eq!(said(&[]), StateAnswer::Compatible);
        assert_eq!(said(&[RECORD, "{", "{}"]), StateAnswer::Compatible);
        let later = RECORD.replace("\"schema\":1", "\"schema\":2");
        let latest = r#"{"schema":7,"whatever":true}"#;
        let cannot = |found| StateAnswer::Cannot { found, reads: 1 };
        assert_eq!(said(&[RECORD, &later]), cannot(2));
        assert_eq!(said(&[&later, RECORD, latest]), cannot(7));
    }
}
