//! The attackers. What they are refused is not counted as wrong: that nothing else changes is what
//! counts.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Rounds;
use super::ground::{Ground, OFFER, RAW_CLIENT, SECOND, STRANGER, kernel};
use crate::support::stage::OWNER;
use crate::support::{Error, Result, chain, command, fake};

/// Big enough that reading all of them would be felt.
const CROWD: usize = 40;

/// One of them.
pub(super) struct Attacker {
    name: &'static str,
    /// Its place is the host whose VMM is the bench's own.
    pub(super) on_fake_vmm: bool,
    round: fn(&Ground, u64) -> Result<()>,
}

pub(super) const ALL: [Attacker; 7] = [
    Attacker {
        name: "owner",
        on_fake_vmm: false,
        round: owner,
    },
    Attacker {
        name: "owner who ends her daemon",
        on_fake_vmm: false,
        round: owner_who_kills,
    },
    Attacker {
        name: "guests that come and go",
        on_fake_vmm: false,
        round: short_lived,
    },
    Attacker {
        name: "stranger",
        on_fake_vmm: false,
        round: stranger,
    },
    Attacker {
        name: "mirror",
        on_fake_vmm: false,
        round: mirror,
    },
    Attacker {
        name: "root, restarts and updates",
        on_fake_vmm: false,
        round: root,
    },
    Attacker {
        name: "broken-out VMM",
        on_fake_vmm: true,
        round: broken_out,
    },
];

impl Attacker {
    /// Works until it is over. Gives what it came to, and what made it stop before that.
    pub(super) fn work(&self, ground: &Ground, over: &AtomicBool) -> (Rounds, Option<String>) {
        let mut count = 0;
        let mut wrong = None;
        while !over.load(Ordering::SeqCst) && wrong.is_none() {
            match (self.round)(ground, count) {
                Ok(()) => count += 1,
                Err(error) => wrong = Some(format!("{}: {}", self.name, chain(&error))),
            }
        }
        let attacker = self.name;
        (Rounds { attacker, count }, wrong)
    }
}

/// Holds every place of both sockets, and sends what is no request.
fn owner(ground: &Ground, _: u64) -> Result<()> {
    for socket in [
        "/run/banger/bangerd.sock",
        "/run/banger-root/bangerd-root.sock",
    ] {
        hold_connections(ground, OWNER, socket)?;
    }
    let line = "head -c 300000 /dev/urandom >/tmp/noise; for name in '' ../x \"$(head -c 99 /tmp/noise)\"; \
                do banger vm delete \"$name\"; banger vm logs \"$name\"; done >/dev/null 2>&1; \
                banger vm run noise --kernel /tmp/noise >/dev/null 2>&1; true";
    ground.shell_as(OWNER, line)?;
    Ok(())
}

fn hold_connections(ground: &Ground, user: &str, socket: &str) -> Result<()> {
    let words = [RAW_CLIENT, "--socket", socket, "--hold", "100"];
    let mut command = ground.stage.host.command_as(user, words);
    command.stdin(Stdio::null());
    command::run(&mut command)?;
    Ok(())
}

/// Her daemon is hers: she stops it for a moment, or ends it.
fn owner_who_kills(ground: &Ground, round: u64) -> Result<()> {
    let acts = if round.is_multiple_of(2) {
        "kill -STOP $pid; sleep 0.3; kill -CONT $pid"
    } else {
        "kill -KILL $pid"
    };
    // while it is restarted it has none, and to 0 would be a signal to this very process group
    let line = format!(
        "pid=$(systemctl show --value --property MainPID bangerd.service); \
         [ \"$pid\" -gt 1 ] && {{ {acts}; }}; true"
    );
    ground.shell_as(OWNER, &line)?;
    std::thread::sleep(Duration::from_secs(2));
    Ok(())
}

/// A guest that shuts down by itself after a second, is looked at, and is deleted.
fn short_lived(ground: &Ground, _: u64) -> Result<()> {
    let path = kernel("LAST_TICK=20");
    // her daemon is ended by herself now and then: what is asked then fails, and is asked again
    let _ = ground.vm(&["run", "short", "--kernel", &path]);
    let _ = ground.vm(&["list"]);
    std::thread::sleep(Duration::from_millis(500));
    let _ = ground.vm(&["stop", "short", "--grace", "0"]);
    command::wait_for("the end of a guest", 60, || {
        let deleted = ground.vm(&["delete", "short"]);
        match deleted {
            Ok(_) => Ok(()),
            Err(error) if error.to_string().contains("no VM") => Ok(()),
            Err(error) => {
                let _ = ground.vm(&["stop", "short", "--grace", "0"]);
                Err(chain(&error))
            }
        }
    })
}

/// A crowd with enormous command lines that call themselves guests, and connections.
fn stranger(ground: &Ground, _: u64) -> Result<()> {
    let line = format!(
        "word=$(head -c 131000 /dev/zero | tr '\\0' x); set -- $(for i in $(seq 15); do echo $word; \
         done); for i in $(seq {CROWD}); do \
         timeout --signal=KILL 3 bash -c 'exec -a firecracker bash -c \"sleep 3; :\" \"$@\"' \
         --id web --api-sock /firecracker.socket \"$@\" & done; wait"
    );
    ground.shell_as(STRANGER, &line)?;
    for socket in [
        "/run/banger/bangerd.sock",
        "/run/banger-root/bangerd-root.sock",
    ] {
        hold_connections(ground, STRANGER, socket)?;
    }
    Ok(())
}

/// A source that shows other bytes each time; none may be believed.
fn mirror(ground: &Ground, round: u64) -> Result<()> {
    let public = ground.stage.releases.public();
    let manifest = public.join("manifest.json");
    let sound = ground.stage.host.path(format!("{OFFER}/manifest.json"));
    let mut bytes = fs_err::read(sound)?;
    match round % 4 {
        0 => bytes.truncate(bytes.len() / 2),
        1 => bytes = vec![b'{'; 2 << 20],
        2 => bytes.extend_from_slice(b" "),
        _ => bytes.clear(),
    }
    fs_err::write(manifest, bytes)?;
    let check = ground.stage.banger(&["update", "--yes"])?;
    // 6: refused; 8: another operation is in progress
    match check.code {
        Some(6 | 8) => {}
        _ => return Err(Error::Wrong(format!("believed: {}", check.text()))),
    }
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

/// What an administrator does meanwhile. All of it must succeed, but for the wait for another
/// operation.
fn root(ground: &Ground, round: u64) -> Result<()> {
    let words: &[&str] = match round % 4 {
        0 | 2 => &["system", "restart"],
        1 => &["update", "--yes", "--from", OFFER, "--version", SECOND],
        _ => &["update", "--yes", "--rollback"],
    };
    let done = command::wait_for("root's turn", 60, || {
        let done = ground.stage.banger(words).map_err(|error| chain(&error))?;
        // 8: another operation is in progress
        match done.code {
            Some(8) => Err(done.text()),
            _ => Ok(done),
        }
    })?;
    done.ok()?;
    std::thread::sleep(Duration::from_secs(3));
    Ok(())
}

/// What a VMM does that was taken over, one deed after the other.
fn broken_out(ground: &Ground, round: u64) -> Result<()> {
    const DEEDS: [&str; 16] = [
        "silent",
        "trickling",
        "endless",
        "unlistened",
        "backlog",
        "pidfile",
        "links",
        "fifos",
        "holes",
        "flood",
        "children",
        "half-dead",
        "deaf",
        "network",
        "start-silent",
        "start-exits",
    ];
    let index = usize::try_from(round).unwrap_or(0) % DEEDS.len();
    let deed = DEEDS.get(index).copied().unwrap_or("nothing");
    let path = kernel(deed);
    fake::write_kernel(&ground.stage.host, &path, deed)?;
    let run = ground.vm(&["run", "bad", "--kernel", &path]);
    // the kernel ends what makes a file too long
    let ends_at_once = deed.starts_with("start-") || deed == "holes";
    if ends_at_once == run.is_ok() {
        return Err(Error::Wrong(format!("{deed}: {run:?}")));
    }
    if run.is_ok() {
        let id = ground.stage.vm("bad")?.id;
        let go = format!("/var/lib/banger-root/jail/firecracker/{id}/root/go");
        ground.stage.host.write(go, "")?;
        std::thread::sleep(Duration::from_secs(1));
        if round.is_multiple_of(3) {
            ground.stage.banger(&["system", "restart"])?.ok()?;
        }
        ground.vm(&["stop", "bad", "--grace", "0"])?;
    }
    ground.vm(&["delete", "bad"])?;
    Ok(())
}
