//! No unit makes systemd create, chown or chmod by path in a folder that the owner can write.

use std::path::{Path, PathBuf};

use banger_installer::unit::{self, Directive, UnitFile};
use banger_product::{Coverage, UNIT_TEMPLATES};

use super::{owner, render};

const HOME: &str = "/home/alice";
const OWNERS_COVERAGE: &str = "/cov/owner";

/// Folders that are the owner's. The folder that each lies in is root's, so that she cannot put
/// another one into its place.
const FOLDERS: [&str; 5] = [
    "/run/banger",
    "/var/lib/banger",
    "/var/cache/banger",
    HOME,
    OWNERS_COVERAGE,
];

/// The settings by which systemd makes a folder, gives it to the unit's user and sets its mode
/// (systemd.exec(5)).
const DIRECTORIES: [(&str, &str); 5] = [
    ("RuntimeDirectory", "/run"),
    ("StateDirectory", "/var/lib"),
    ("CacheDirectory", "/var/cache"),
    ("LogsDirectory", "/var/log"),
    ("ConfigurationDirectory", "/etc"),
];

/// What breaks the rule in a unit, a line each.
fn offences(name: &str, file: &UnitFile) -> Vec<String> {
    let user = file.values("Service", "User");
    let is_owners = user == ["alice"];
    let offence = |directive: &Directive| {
        let allowed = match directive.key.as_str() {
            key if DIRECTORIES.iter().any(|(known, _)| *known == key) => {
                unit::words(&directive.value).unwrap().iter().all(|word| {
                    let path = parent_of(key).join(word);
                    // its own user's folder, in one of root's
                    !is_beneath(&path) && (is_owners || !is_folder(&path))
                })
            }
            // bind(2) makes a socket and nothing else, and never follows a link; whoever is given
            // it afterwards is given what the path leads to
            "ListenStream" => {
                !is_beneath(Path::new(&directive.value))
                    || ["SocketUser", "SocketGroup", "Symlinks"]
                        .iter()
                        .all(|key| file.values("Socket", key).is_empty())
            }
            // a folder itself, by install(1), which is all that any command may do with one
            "ExecStartPre" => {
                let installs = directive.value.starts_with("/usr/bin/install -d ");
                named(&directive.value)
                    .all(|path| !is_beneath(&path) && (installs || !is_folder(&path)))
            }
            // mounted as it is found, in the unit's own namespace; nothing is made
            "ReadOnlyPaths" | "ReadWritePaths" => {
                named(&directive.value).all(|path| !is_beneath(&path))
            }
            // systemd opens nothing that a variable names
            "Environment" => true,
            _ => named(&directive.value).all(|path| !is_beneath(&path) && !is_folder(&path)),
        };
        (!allowed).then(|| format!("{name}: {}={}", directive.key, directive.value))
    };
    file.directives().iter().filter_map(offence).collect()
}

fn parent_of(key: &str) -> &'static Path {
    let known = DIRECTORIES.iter().find(|(known, _)| *known == key);
    Path::new(known.map_or("/", |(_, parent)| parent))
}

/// The absolute paths among the words of a value, also those behind a prefix: `-/a`, `file:/a`.
fn named(value: &str) -> impl Iterator<Item = PathBuf> {
    let words = unit::words(value).unwrap();
    words
        .into_iter()
        .filter_map(|word| word.find('/').map(|at| PathBuf::from(&word[at..])))
}

fn is_folder(path: &Path) -> bool {
    FOLDERS.iter().any(|folder| path == Path::new(folder))
}

fn is_beneath(path: &Path) -> bool {
    let beneath = |folder: &str| path.starts_with(folder) && path != Path::new(folder);
    FOLDERS.iter().any(|folder| beneath(folder))
}

#[test]
fn no_unit_makes_systemd_change_anything_by_path_in_the_owners_folders() {
    let coverage = Coverage {
        owner: Some(OWNERS_COVERAGE.into()),
        helper: Some("/cov/root".into()),
    };
    for (name, _) in UNIT_TEMPLATES {
        let text = render(name, &owner(HOME), &coverage);
        let found = offences(name, &unit::parse(&text).unwrap());
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn the_rule_knows_how_systemd_can_be_made_to() {
    let offending = [
        "[Socket]\nListenStream=/run/banger/a.sock\nSocketUser=alice",
        "[Socket]\nListenStream=/run/banger/a.sock\nSocketGroup=alice",
        "[Socket]\nListenStream=/run/x.sock\nSymlinks=/run/banger/a.sock",
        "[Socket]\nListenFIFO=/run/banger/a",
        "[Socket]\nExecStartPre=/usr/bin/install -d -o alice /var/lib/banger/a",
        "[Socket]\nExecStartPre=/bin/chown alice /var/lib/banger",
        "[Socket]\nExecStartPost=/bin/chown alice /run/banger/a.sock",
        "[Service]\nStateDirectory=banger",
        "[Service]\nUser=alice\nStateDirectory=banger banger/vms",
        "[Service]\nUser=alice\nStandardError=append:/var/lib/banger/log",
        "[Service]\nUser=alice\nPIDFile=/run/banger/pid",
        "[Service]\nReadWritePaths=-/var/lib/banger/vms",
        "[Service]\nBindPaths=\"/home/alice/a:/a\"",
        "[Service]\nEnvironmentFile=-/home/alice/.env",
    ];
    for text in offending {
        let found = offences("unit", &unit::parse(text).unwrap());
        assert_eq!(found.len(), 1, "{text}: {found:?}");
    }
}

#[test]
fn each_socket_can_be_reached_by_the_owner_alone() {
    let socket = |name| {
        let text = render(name, &owner(HOME), &Coverage::default());
        unit::parse(&text).unwrap()
    };
    // the helper's: the owner's uid alone, in a folder of root's
    let file = socket("bangerd-root.socket");
    let value = |key| file.values("Socket", key);
    assert_eq!(
        value("ListenStream"),
        ["/run/banger-root/bangerd-root.sock"]
    );
    assert_eq!(value("SocketUser"), ["1000"]);
    assert_eq!(value("SocketGroup"), ["root"]);
    assert_eq!(value("SocketMode"), ["0600"]);
    assert_eq!(value("DirectoryMode"), ["0711"]);
    // the owner daemon's: anybody may write to it who can reach it, and its folder is hers alone
    // before it is there
    let file = socket("bangerd.socket");
    let value = |key| file.values("Socket", key);
    assert_eq!(value("ListenStream"), ["/run/banger/bangerd.sock"]);
    assert_eq!(
        value("ExecStartPre"),
        ["/usr/bin/install -d -m 0700 -o 1000 -g 1001 /run/banger"]
    );
}
