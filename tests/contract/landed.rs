//! Hosts with a version from before releases said what they consist of. How such a version left a host
//! is kept in `tests/fixtures/landed`.

use banger_installer::model::ArtefactKind;
use banger_release::Packed;
use banger_tests::support::place;
use banger_tests::support::stage::{OWNER, Stage};
use serde_json::Value;

use crate::commands::assert_same;
use crate::sets::in_place;

const RECEIPT: &str = "/etc/banger/install.json";

/// Installs a release from the archive without a list.
fn install_without_list(stage: &Stage, release: &Packed) {
    let artefacts = release.manifest.artefacts.iter();
    let mut without = artefacts.filter(|one| one.kind == ArtefactKind::Release);
    let name = &without.next().unwrap().name;
    let archive = release.archive.with_file_name(name);
    stage.host.copy(&archive, "/root/release.tar.gz").unwrap();
    let line = format!(
        "mkdir /root/release && tar -xzf /root/release.tar.gz -C /root/release && \
         test ! -e /root/release/release.json && \
         /root/release/bin/banger system install --owner {OWNER}"
    );
    stage.host.shell(&line).unwrap().ok().unwrap();
}

/// Leaves the host as a version did that knew no sets: without what was written down since.
fn as_it_was_left(stage: &Stage) {
    let line = "rm /var/lib/banger-install/set-0.1.0.json";
    stage.host.shell(line).unwrap().ok().unwrap();
    let fixture = place::workspace().join("tests/fixtures/landed/receipt.json");
    let fixture: Value = serde_json::from_slice(&fs_err::read(fixture).unwrap()).unwrap();
    let path = stage.host.path(RECEIPT);
    let mut receipt: Value = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
    let fields = receipt.as_object_mut().unwrap();
    fields.retain(|name, _| fixture.get(name).is_some());
    assert_eq!(receipt["schema"], fixture["schema"]);
    fs_err::write(&path, serde_json::to_vec_pretty(&receipt).unwrap()).unwrap();
}

#[test]
fn a_host_from_before_releases_had_lists_goes_to_one_that_has_and_back() {
    let stage = Stage::new(banger_tests::support::releases::Releases::new().unwrap()).unwrap();
    let first = stage.releases.for_all("0.1.0").unwrap();
    install_without_list(&stage, &first);
    as_it_was_left(&stage);
    let guest = stage.run_guest("web").unwrap();
    let before = in_place(&stage);

    let second = stage.releases.wide("0.1.1").unwrap();
    stage.releases.publish(&second).unwrap();
    stage.banger(&["update", "--yes"]).unwrap().ok().unwrap();
    let said = stage.host.run(["/usr/local/bin/banger-extra", "--version"]);
    assert_eq!(said.unwrap().ok().unwrap(), "banger-extra 0.1.1");
    stage.check_untouched(&guest).unwrap();

    let rollback = stage.banger(&["update", "--rollback", "--yes"]).unwrap();
    rollback.ok().unwrap();
    assert_same(&before, &in_place(&stage));
    stage.check_untouched(&guest).unwrap();
    let said = stage.banger(&["--version"]).unwrap().ok().unwrap();
    assert_eq!(said, "banger 0.1.0");
}
