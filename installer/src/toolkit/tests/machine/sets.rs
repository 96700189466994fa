//! Releases that bring a list of what belongs in them, and two that differ in it.

use std::path::PathBuf;

use banger_installer_host::HashingWriter;

use super::commands::SERVICE;
use super::{Machine, name};
use crate::model::{
    FileImage, ListedFile, Program, RELEASE_LIST_NAME, RELEASE_LIST_SCHEMA, ReleaseList, UnitSpec,
};
use crate::toolkit::{HANDOVER, ReleaseFolder};

/// Which programs, units and files a release has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// Those of the product, and a document.
    Plain,
    /// Another socket, a second service, a second program, a man page, and no document.
    Wide,
}

impl Set {
    pub(super) fn of(behaviour: &str) -> Option<Self> {
        match behaviour.split('-').next() {
            Some("plain") => Some(Self::Plain),
            Some("wide") => Some(Self::Wide),
            _ => None,
        }
    }

    fn units(self) -> Vec<UnitSpec> {
        let spec = |text, enable, stateful| UnitSpec {
            name: name(text),
            enable,
            stateful,
            optional: false,
        };
        let socket = match self {
            Self::Plain => "toyd.socket",
            Self::Wide => "toyd-main.socket",
        };
        let mut units = vec![
            spec("toy.slice", false, false),
            spec(socket, true, false),
            spec("toy-rescue.service", true, false),
            spec("toyd.service", true, true),
        ];
        if self == Self::Wide {
            units.push(spec("toyd-twin.service", true, true));
        }
        units
    }

    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &["toyd"],
            Self::Wide => &["toyd", "toyctl"],
        }
    }

    fn shared(self) -> &'static str {
        match self {
            Self::Plain => "share/doc/toy/README",
            Self::Wide => "share/man/man8/toyd.8",
        }
    }
}

fn template(unit: &str, version: &str) -> String {
    match unit {
        "toy.slice" => "[Slice]\n".into(),
        "toy-rescue.service" => "[Service]\nExecStart=@programs@/toyd rescue\n".into(),
        _ if unit.ends_with(".socket") => "[Socket]\nListenStream=/run/toy\n".into(),
        _ => SERVICE.replace("@version@", version),
    }
}

impl Machine {
    pub(super) fn listed_release(
        &self,
        version: &str,
        behaviour: &str,
        set: Set,
        folder: PathBuf,
    ) -> ReleaseFolder {
        let programs = set.programs().iter();
        let programs = programs.map(|program| {
            let text = format!("{program} {version}\n{behaviour}");
            (format!("bin/{program}"), 0o755, text)
        });
        let units = set.units();
        let templates = units.iter().map(|unit| {
            let text = template(unit.name.as_str(), version);
            (format!("units/{}.in", unit.name), 0o644, text)
        });
        let shared = (set.shared().to_owned(), 0o644, format!("of {version}\n"));
        let files: Vec<_> = programs.chain(templates).chain([shared]).collect();
        let listed = |(path, mode, text): &(String, u32, String)| {
            let mut hashing = HashingWriter::new(std::io::sink());
            std::io::Write::write_all(&mut hashing, text.as_bytes()).expect("hashed");
            let sha256 = hashing.finish().1.digest;
            (
                path.clone(),
                ListedFile {
                    mode: *mode,
                    sha256,
                },
            )
        };
        let program = |name: &&str| Program {
            name: (*name).to_owned(),
        };
        let list = ReleaseList {
            schema: RELEASE_LIST_SCHEMA,
            product: "toy".into(),
            version: version.parse().expect("a version"),
            handover: HANDOVER,
            programs: set.programs().iter().map(program).collect(),
            files: files.iter().map(listed).collect(),
            units,
        };
        let list = String::from_utf8(list.to_json().expect("a list")).expect("text");
        if let Some(disk) = &self.disk {
            disk.exempt(true);
        }
        for (path, _, text) in files
            .into_iter()
            .chain([(RELEASE_LIST_NAME.into(), 0o644, list)])
        {
            let image = FileImage::public(text);
            let written = self.ground.write_whole(&folder.join(path), &image);
            written.expect("a file");
        }
        if let Some(disk) = &self.disk {
            disk.exempt(false);
        }
        ReleaseFolder {
            path: folder,
            version: version.parse().expect("a version"),
        }
    }
}
