//! The scene, step by step.

use std::time::Duration;

use banger_release::Packed;

use super::report::{Facts, GuestFacts, UpdateFacts};
use super::screen::Screen;
use super::{Options, wait_for_enter};
use crate::support::api::Client;
use crate::support::console::{self, Watch};
use crate::support::releases::{BROKEN_VERSION, Releases};
use crate::support::stage::{Guest, Stage};
use crate::support::{Host, Result, chain, firecracker, guest, prerequisites, programs, root};

const FIRST: &str = "0.1.0";
const SECOND: &str = "0.1.1";
const GUESTS: [&str; 3] = ["web", "db", "build"];
/// How long the guests are watched while nothing happens.
const REST: Duration = Duration::from_secs(3);
/// The exit code of an update that was rolled back.
const ROLLED_BACK: i32 = 9;

/// The three releases.
struct Cast {
    releases: Releases,
    first: Packed,
    second: Packed,
    broken: Packed,
}

/// Plays it, and gives what was measured.
pub(super) fn play(screen: &Screen, options: &Options) -> Result<Facts> {
    screen.step(
        "look for what the bench needs",
        prerequisites::ensure,
        ToString::to_string,
    )?;
    let cast = prepare(screen)?;
    let stage = set_stage(screen, cast.releases)?;
    install(screen, &stage, &cast.first)?;
    let guests = run_guests(screen, &stage)?;
    let at_rest = screen.step(
        "watch them while nothing happens",
        || rest(&guests),
        |holes| holes_text(holes),
    )?;

    let client = Client::start(&stage.host, crate::support::stage::OWNER)?;
    let watches = watch(&guests)?;
    let updates = vec![
        update(screen, &stage, &cast.second, 0)?,
        update(screen, &stage, &cast.broken, ROLLED_BACK)?,
    ];
    let holes = end(watches)?;
    let api = client.stop()?;
    let guests = screen.step(
        "look at the guests",
        || Ok(compare(&stage, guests, &at_rest, &holes)),
        |guests| format!("{} of {} found again", found(guests), guests.len()),
    )?;
    if options.keep {
        let leader = stage.host.leader();
        screen.line(&format!(
            "\n  The host stands: nsenter --target {leader} --all"
        ));
        screen.line("  Press Enter to end it.");
        wait_for_enter();
    }
    Ok(Facts {
        guests,
        updates,
        api,
    })
}

fn prepare(screen: &Screen) -> Result<Cast> {
    screen.step("get Firecracker and its jailer", firecracker::fetch, |_| {
        "1.12.1".to_owned()
    })?;
    screen.step("build the guest", guest::ticker, |_| String::new())?;
    screen.step("make the host's root", root::base, |_| {
        "Debian 12".to_owned()
    })?;
    screen.step("build the bench's programs", programs::build_own, |()| {
        String::new()
    })?;
    for version in [FIRST, SECOND, BROKEN_VERSION] {
        screen.step(
            &format!("build banger {version}"),
            || programs::banger(version),
            |_| String::new(),
        )?;
    }
    screen.step(
        "pack and sign the releases",
        || {
            let releases = Releases::new()?;
            let (first, second) = (releases.sound(FIRST)?, releases.sound(SECOND)?);
            let broken = releases.broken()?;
            Ok(Cast {
                releases,
                first,
                second,
                broken,
            })
        },
        |_| format!("{FIRST}, {SECOND}, broken {BROKEN_VERSION}"),
    )
}

fn set_stage(screen: &Screen, releases: Releases) -> Result<Stage> {
    let host = screen.step(
        "boot a throwaway host",
        || Host::new().user(crate::support::stage::OWNER).build(),
        |host| format!("systemd {}, running", systemd_version(host)),
    )?;
    screen.step(
        "serve releases over TLS",
        || Stage::on(host, releases),
        |_| "on the host's loopback".to_owned(),
    )
}

fn systemd_version(host: &Host) -> String {
    let text = host
        .run(["systemctl", "--version"])
        .map(|output| output.stdout)
        .unwrap_or_default();
    text.split_ascii_whitespace()
        .nth(1)
        .unwrap_or("?")
        .to_owned()
}

fn install(screen: &Screen, stage: &Stage, release: &Packed) -> Result<()> {
    screen.step(
        &format!("banger system install ({FIRST})"),
        || stage.install(release)?.ok(),
        |_| "for alice".to_owned(),
    )?;
    Ok(())
}

fn run_guests(screen: &Screen, stage: &Stage) -> Result<Vec<Guest>> {
    let run = |name: &&str| {
        screen.step(
            &format!("banger vm run {name}"),
            || stage.run_guest(name),
            |guest| format!("pid {}, nonce {}", guest.pid, guest.nonce),
        )
    };
    GUESTS.iter().map(run).collect()
}

fn update(
    screen: &Screen,
    stage: &Stage,
    release: &Packed,
    expected_code: i32,
) -> Result<UpdateFacts> {
    let to = release.manifest.version.to_string();
    screen.step(
        &format!("banger update to {to}"),
        || {
            stage.releases.publish(release)?;
            let output = stage.banger(&["update", "--yes"])?;
            let version = stage.banger(&["--version"])?.ok()?;
            Ok(UpdateFacts {
                to: to.clone(),
                expected_code,
                code: output.code,
                expected_version: format!("banger {SECOND}"),
                version,
                output: output.text(),
            })
        },
        |facts| {
            let code = facts
                .code
                .map_or_else(|| "none".to_owned(), |code| code.to_string());
            let rolled_back = if expected_code == ROLLED_BACK {
                ", rolled back"
            } else {
                ""
            };
            format!("exit code {code}{rolled_back}; {} now", facts.version)
        },
    )
}

fn watch(guests: &[Guest]) -> Result<Vec<Watch>> {
    guests
        .iter()
        .map(|guest| Watch::start(&guest.console))
        .collect()
}

fn end(watches: Vec<Watch>) -> Result<Vec<Duration>> {
    watches.into_iter().map(Watch::longest_hole).collect()
}

fn rest(guests: &[Guest]) -> Result<Vec<Duration>> {
    let watches = watch(guests)?;
    std::thread::sleep(REST);
    end(watches)
}

fn holes_text(holes: &[Duration]) -> String {
    let longest = holes.iter().max().map_or(0, Duration::as_millis);
    format!("longest hole {longest} ms")
}

fn compare(
    stage: &Stage,
    guests: Vec<Guest>,
    at_rest: &[Duration],
    holes: &[Duration],
) -> Vec<GuestFacts> {
    guests
        .into_iter()
        .zip(at_rest.iter().zip(holes))
        .map(|(before, (hole_at_rest, hole))| {
            // Still ticking, not merely still there.
            let ticks = console::wait_for_ticks(&before.console, 3).map_err(|error| chain(&error));
            let after = stage
                .find_guest(&before.name)
                .map_err(|error| chain(&error));
            let listed = stage
                .vm(&before.name)
                .map_or_else(|_| "missing".to_owned(), |vm| vm.state);
            GuestFacts {
                before,
                after,
                state: listed,
                ticks,
                hole_at_rest: *hole_at_rest,
                hole: *hole,
            }
        })
        .collect()
}

fn found(guests: &[GuestFacts]) -> usize {
    let same = |guest: &&GuestFacts| {
        guest
            .after
            .as_ref()
            .is_ok_and(|after| after.identity == guest.before.identity)
    };
    guests.iter().filter(same).count()
}
