//! A VMM that a guest has taken over, for hosts where it is installed as `firecracker`.
//!
//! It takes the arguments that the jailer passes, listens at `--api-sock`, answers as Firecracker
//! does, and ticks on its console like the ticking guest. Then it does the deed that the last line of
//! its kernel file names (`fake-vmm: DEED`): those of [`Deed::AT_START`] before the first answer,
//! while the jail's folder is still its own, the others when root puts a file `go` into the jail. It
//! says `fake: done DEED` on its console when it has.
//!
//! Only the standard library, and linked statically by the bench: its jail holds no libraries. What
//! the library cannot do is done by its kernel file, a program too: `tests/guest/deeds.c`.
#![allow(
    clippy::print_stdout,
    reason = "standard output is the guest's console"
)]

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

const KERNEL: &str = "/kernel";
/// Its copy of that, which it may run.
const DEEDS: &str = "/deeds";
const LOG: &str = "/firecracker.log";
const MARK: &str = "fake-vmm: ";
/// Between two ticks, and between two looks for `go`.
const TICK: Duration = Duration::from_millis(50);
/// Children that stay.
const CHILDREN: usize = 20;
/// Bytes of a file that is nearly all holes: 1 TiB.
const HUGE: u64 = 1 << 40;

/// How the API answers.
const GOOD: u8 = 0;
const SILENT: u8 = 1;
const TRICKLING: u8 = 2;
const ENDLESS: u8 = 3;
const GONE: u8 = 4;
static MANNER: AtomicU8 = AtomicU8::new(GOOD);

/// The arguments that matter.
#[derive(Default)]
struct Arguments {
    id: String,
    socket: String,
    again: bool,
}

struct Deed;

impl Deed {
    /// Deeds that are done before the API answers for the first time.
    const AT_START: [&str; 11] = [
        "backlog",
        "start-silent",
        "start-trickling",
        "start-endless",
        "start-backlog",
        "start-exits",
        "pidfile",
        "links",
        "fifos",
        "holes",
        "folders",
    ];

    fn named() -> String {
        let bytes = fs::read(KERNEL).unwrap_or_default();
        let tail = bytes
            .get(bytes.len().saturating_sub(200)..)
            .unwrap_or_default();
        let tail = String::from_utf8_lossy(tail).into_owned();
        let line = tail.lines().rev().find_map(|line| line.strip_prefix(MARK));
        line.unwrap_or("nothing").trim().to_owned()
    }
}

fn main() -> io::Result<()> {
    let arguments = parse();
    let deed = Deed::named();
    // a program of its own, while the folder is its own
    fs::copy(KERNEL, DEEDS)?;
    fs::set_permissions(DEEDS, fs::Permissions::from_mode(0o700))?;
    if deed == "deaf" && !arguments.again {
        let words: Vec<String> = std::env::args().skip(1).collect();
        return Err(Command::new(DEEDS)
            .args(["deaf", "/firecracker", "--again"])
            .args(words)
            .exec());
    }
    std::thread::spawn(|| tick(&nonce()));
    if Deed::AT_START.contains(&deed.as_str()) {
        do_deed(&deed, &arguments)?;
    }
    let listener = UnixListener::bind(&arguments.socket)?;
    let id = arguments.id.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if MANNER.load(Ordering::SeqCst) == GONE {
                break;
            }
            let id = id.clone();
            std::thread::spawn(move || answer(stream, &id));
        }
    });
    while !Path::new("/go").exists() {
        std::thread::sleep(TICK);
    }
    if !Deed::AT_START.contains(&deed.as_str()) {
        do_deed(&deed, &arguments)?;
    }
    loop {
        std::thread::park();
    }
}

fn parse() -> Arguments {
    let mut found = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.split_once('=').unwrap_or((&word, "")) {
            ("--id", "") => found.id = words.next().unwrap_or_default(),
            ("--id", id) => found.id = String::from(id),
            ("--api-sock", "") => found.socket = words.next().unwrap_or_default(),
            ("--api-sock", path) => found.socket = String::from(path),
            ("--again", _) => found.again = true,
            _ => {}
        }
    }
    found
}

/// Sixteen digits that no other run has.
fn nonce() -> String {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("{:016x}", since.as_nanos() & u128::from(u64::MAX))
}

fn tick(nonce: &str) {
    let mut number: u64 = 0;
    loop {
        number += 1;
        say(&format!("tick {nonce} {number}"));
        std::thread::sleep(TICK);
    }
}

/// A whole line in one write, so that two threads' never mix.
fn say(line: &str) {
    let mut console = io::stdout().lock();
    let _ = console.write_all(format!("{line}\n").as_bytes());
    let _ = console.flush();
}

fn do_deed(deed: &str, arguments: &Arguments) -> io::Result<()> {
    match deed {
        "start-silent" | "silent" => MANNER.store(SILENT, Ordering::SeqCst),
        "start-trickling" | "trickling" => MANNER.store(TRICKLING, Ordering::SeqCst),
        "start-endless" | "endless" => MANNER.store(ENDLESS, Ordering::SeqCst),
        "start-exits" => std::process::exit(1),
        "start-backlog" => return become_deed(&["backlog", &arguments.socket]),
        "backlog" => return become_deed(&["backlog", &arguments.socket, &arguments.id]),
        "half-dead" => return become_deed(&["half-dead"]),
        "pidfile" => replace("/firecracker.pid", |path| fs::write(path, "1"))?,
        "links" => links(),
        "fifos" => fifos(),
        "holes" => holes(),
        "folders" => folders(),
        "children" => children()?,
        "unlistened" => {
            MANNER.store(GONE, Ordering::SeqCst);
            // the next connection ends the loop that accepts, and with it the listener
            drop(UnixStream::connect(&arguments.socket));
        }
        "flood" => flood(),
        "network" => {
            let _ = Command::new(DEEDS).args(["reach", "8443"]).status();
        }
        // a kernel that asks for nothing, and `deaf`, which is one already
        _ => {}
    }
    say(&format!("fake: done {deed}"));
    Ok(())
}

/// Becomes the other program: same process, other code.
fn become_deed(words: &[&str]) -> io::Result<()> {
    Err(Command::new(DEEDS).args(words).exec())
}

fn replace(path: &str, with: impl FnOnce(&str) -> io::Result<()>) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    with(path)
}

/// Everything that the helper might open becomes a way out of the jail.
fn links() {
    for name in [LOG, "/config.json", "/firecracker.pid", "/metrics"] {
        let _ = replace(name, |path| symlink("/srv/canary/file", path));
    }
    for (name, target) in [
        ("/etc", "/srv/canary"),
        ("/up", "../../../../../../srv/canary"),
    ] {
        let _ = symlink(target, name);
    }
    for device in ["/dev/kvm", "/dev/net/tun"] {
        let _ = replace(device, |path| symlink("/srv/canary/file", path));
    }
}

/// A reader of one of these waits for ever.
fn fifos() {
    for name in [LOG, "/config.json", "/firecracker.pid", "/metrics"] {
        let made = replace(name, |path| {
            let status = Command::new(DEEDS).args(["fifo", path]).status()?;
            if status.success() {
                Ok(())
            } else {
                Err(io::Error::other("no FIFO"))
            }
        });
        if let Err(error) = made {
            say(&format!("fake: {name}: {error}"));
        }
    }
}

/// Files that are as long as a disk is large, with nothing in them.
fn holes() {
    for name in [LOG, "/firecracker.pid", "/hole"] {
        let _ = replace(name, |path| fs::File::create(path)?.set_len(HUGE));
    }
}

/// A tree that is deep, and a name that is no text.
fn folders() {
    use std::os::unix::ffi::OsStrExt as _;
    let mut path = String::from("/deep");
    for _ in 0..1500 {
        if fs::create_dir(&path).is_err() {
            break;
        }
        path.push_str("/d");
    }
    let _ = fs::write(std::ffi::OsStr::from_bytes(b"/\xff\xfe\n\x1b[2J"), "x");
    let _ = fs::create_dir("/closed");
    let _ = fs::write("/closed/file", "x");
    let _ = fs::set_permissions("/closed", fs::Permissions::from_mode(0o000));
}

fn children() -> io::Result<()> {
    for _ in 0..CHILDREN {
        Command::new(DEEDS).arg("stay").spawn()?;
    }
    Ok(())
}

/// Writes for ever to its console and to its own log; not as fast as it can, so that a host without
/// bounds is found out before its disk is full.
fn flood() {
    let block = vec![b'x'; 64 * 1024];
    std::thread::spawn(move || {
        let mut log = fs::OpenOptions::new().append(true).open(LOG).ok();
        let mut line = block.clone();
        line.push(b'\n');
        loop {
            let _ = io::stdout().lock().write_all(&line);
            if let Some(log) = &mut log {
                let _ = log.write_all(&line);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

fn answer(mut stream: UnixStream, id: &str) {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(chunk.get(..read).unwrap_or_default()),
        }
    }
    let answer = if request.starts_with(b"GET / ") {
        let body = format!(
            r#"{{"app_name":"Firecracker","id":"{id}","state":"Running","vmm_version":"1.12.1"}}"#
        );
        format!(
            "HTTP/1.1 200 \r\nServer: Firecracker API\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    } else {
        "HTTP/1.1 204 \r\nServer: Firecracker API\r\n\r\n".to_owned()
    };
    let _ = match MANNER.load(Ordering::SeqCst) {
        SILENT => hold(&mut stream),
        TRICKLING => trickle(&mut stream, &answer),
        ENDLESS => endless(&mut stream),
        _ => stream.write_all(answer.as_bytes()),
    };
}

/// Says nothing until the other end goes.
fn hold(stream: &mut UnixStream) -> io::Result<()> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}

/// A byte now and then, of a header that never ends.
fn trickle(stream: &mut UnixStream, answer: &str) -> io::Result<()> {
    let status = answer.lines().next().unwrap_or_default();
    stream.write_all(format!("{status}\r\nX: ").as_bytes())?;
    loop {
        stream.write_all(b"x")?;
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn endless(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 \r\nContent-Length: 99999999999\r\n\r\n")?;
    loop {
        stream.write_all(&[b'x'; 4096])?;
    }
}
