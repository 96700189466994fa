//! A toy product under the toolkit, for the tests of the engine on throwaway hosts: a script as daemon,
//! with a protected child. Its releases are folders that nobody has signed; how a product updates from
//! signed ones is shown by `installer/examples/toy.rs`.
//!
//! `toy make-release DIR VERSION [broken|deaf|liar|mortal]` writes a release; `toy install DIR
//! VERSION`, `toy update DIR VERSION`, `toy rollback`, `toy restart`, `toy uninstall [--purge]` and
//! `toy status` run the toolkit on this machine.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own"
)]

use std::error::Error;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use banger_installer::causes;
use banger_installer::effect::{
    Answer, BoxError, Health, HostProcesses, Processes, ProtectedProcesses,
};
use banger_installer::model::{
    Layout, Owner, Product, ProductBuilder, ProtectedProcess, UnitName, UnitSpec, Version,
};
use banger_installer::plan::Purge;
use banger_installer::toolkit::{
    Event, HostSide, InstallRequest, Outcome, ReleaseFolder, Report, RescueLimits, RestartRequest,
    RollbackRequest, Session, ToolkitError, UninstallRequest, UpdateRequest, rescue, status,
};
use banger_installer::unit::Values;

/// The daemon: says its version, starts its child once, tells its pid and version, says ready.
const DAEMON: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then echo "toyd @version@"; exit 0; fi
if ! kill -0 "$(cat /var/lib/toy/child 2>/dev/null)" 2>/dev/null; then
    sleep infinity & echo $! > /var/lib/toy/child
fi
@behave@
echo "$$ @version@" > /run/toy/answer
systemd-notify --ready
while :; do sleep 3600 & echo $! > /run/toy/idle; wait $!; done
"#;

const SERVICE: &str = "\
[Unit]
Description=toy @version@
[Service]
Type=notify
NotifyAccess=all
ExecStart=@programs@/toyd
KillMode=process
StateDirectory=toy
RuntimeDirectory=toy
RuntimeDirectoryPreserve=yes
Restart=always
RestartSec=200ms
[Install]
WantedBy=multi-user.target
";

const RESCUE: &str = "toy-rescue.service";

/// Here the program of the example is the one that rescues; it lies outside of all versions.
const RESCUE_SERVICE: &str = "\
[Unit]
Description=rolls back an update of toy that died, or that fails its health checks
ConditionPathExists=|/var/lib/toy-install/journal.json
ConditionPathExists=|/var/lib/toy-install/trial.json
StartLimitIntervalSec=60s
StartLimitBurst=5
[Service]
Type=exec
ExecStart=/usr/local/sbin/toy rescue
Restart=on-failure
RestartSec=1s
[Install]
WantedBy=multi-user.target
";

const SLICE: &str = "[Unit]\nDescription=toy children\n";

struct Toy;

impl ProtectedProcesses for Toy {
    fn list(&self) -> Result<Vec<ProtectedProcess>, BoxError> {
        let Ok(text) = std::fs::read_to_string("/var/lib/toy/child") else {
            return Ok(Vec::new());
        };
        let child = HostProcesses.protected("child", "child", text.trim().parse()?);
        Ok(child.into_iter().collect())
    }
}

impl Health for Toy {
    fn probe(&self, _unit: &UnitName) -> Result<Answer, BoxError> {
        let text = std::fs::read_to_string("/run/toy/answer")?;
        let (pid, version) = text.trim().split_once(' ').ok_or("no answer yet")?;
        HostProcesses
            .facts(pid.parse()?)
            .ok_or("who answered is gone")?;
        let version: Version = version.parse()?;
        Ok(version.into())
    }
}

struct Print;

impl Report for Print {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::StepStarted { step, why } => println!("  … {step} ({why})"),
            Event::StepDone { detail, .. } => println!("  ✓ {detail}"),
            Event::StepFailed { cause, .. } => println!("  ✗ {cause}"),
            Event::Finding { finding } => println!("  ! {finding}"),
            other => println!("  . {other:?}"),
        }
    }
}

fn product() -> Result<Product, Box<dyn Error>> {
    let unit = |name: &str| name.parse().map(UnitSpec::new);
    let mut layout = Layout::new("toy");
    layout.product_state.push("/run/toy".into());
    Ok(ProductBuilder::new("toy", "any")
        .program("toyd")
        .unit(unit("toy.slice")?)
        .unit(unit(RESCUE)?.enabled())
        .unit(unit("toyd.service")?.enabled().stateful())
        .layout(layout)
        .slice("toy.slice".parse()?)
        .scope_prefix("toy-child-")
        .rescue(RESCUE.parse()?)
        .build()?)
}

fn make_release(folder: &Path, version: &str, behaviour: &str) -> Result<(), Box<dyn Error>> {
    let behave = match behaviour {
        "broken" => "exit 1",
        "deaf" => "systemd-notify --ready; exec sleep infinity",
        "liar" => {
            "systemd-notify --ready; echo \"$$ 9.9.9\" > /run/toy/answer; exec sleep infinity"
        }
        // well for as long as an update looks, and then not
        "mortal" => "(sleep 3; kill -9 $$) &",
        _ => "",
    };
    let daemon = DAEMON
        .replace("@behave@", behave)
        .replace("@version@", version);
    std::fs::create_dir_all(folder.join("bin"))?;
    std::fs::create_dir_all(folder.join("units"))?;
    let program = folder.join("bin/toyd");
    std::fs::write(&program, daemon)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    std::fs::write(
        folder.join("units/toyd.service.in"),
        SERVICE.replace("@version@", version),
    )?;
    std::fs::write(folder.join("units/toy.slice.in"), SLICE)?;
    std::fs::write(folder.join(format!("units/{RESCUE}.in")), RESCUE_SERVICE)?;
    Ok(())
}

fn values() -> Values {
    Values::new().with("programs", "/usr/local/bin")
}

fn release(words: &[String]) -> Result<ReleaseFolder, Box<dyn Error>> {
    let folder = words.get(1).ok_or("which folder?")?;
    let version = words.get(2).ok_or("which version?")?;
    Ok(ReleaseFolder::new(folder, version.parse()?))
}

fn run(words: &[String]) -> Result<(), Box<dyn Error>> {
    let command = words.first().map_or("", String::as_str);
    if command == "make-release" {
        let folder = PathBuf::from(words.get(1).ok_or("which folder?")?);
        let behaviour = words.get(3).map_or("", String::as_str);
        return make_release(&folder, words.get(2).ok_or("which version?")?, behaviour);
    }
    let product = product()?;
    let side = HostSide::connect()?;
    let interrupt = AtomicBool::new(false);
    let effects = side.effects(&Toy, &Toy, &interrupt);
    if command == "status" {
        let status = status(&product, &effects, &|_| Some(values()))?;
        println!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(());
    }
    if command == "rescue" {
        let limits = RescueLimits::default();
        let rescued = rescue(&product, effects, &mut Print, &|_| values(), &limits)?;
        println!("{rescued:?}");
        return Ok(());
    }
    let stop_guests = words.iter().any(|word| word == "--stop-guests");
    let mut report = Print;
    let mut session = Session::begin(&product, effects, &mut report)?;
    let outcome = match command {
        "install" => {
            let owner = Owner {
                user: "nobody".into(),
                uid: 65534,
                gid: 65534,
                home: "/".into(),
            };
            let request = InstallRequest::new(owner, release(words)?, values());
            session.install(&request.stop_guests(stop_guests))?
        }
        "update" => {
            let request = UpdateRequest::unverified(release(words)?, values(), stop_guests);
            session.update(&request)?
        }
        "rollback" => session.rollback(&RollbackRequest::new(values()).stop_guests(stop_guests))?,
        "restart" => session.restart(&RestartRequest::new(values()).stop_guests(stop_guests))?,
        "uninstall" => {
            let purge = words.iter().any(|word| word == "--purge");
            let purge = if purge { Purge::State } else { Purge::Keep };
            session.uninstall(UninstallRequest::new(purge).stop_guests(stop_guests))?
        }
        other => return Err(format!("no such command: {other:?}").into()),
    };
    match outcome {
        Outcome::Unchanged => println!("unchanged"),
        Outcome::Changed(_) => println!("changed"),
    }
    Ok(())
}

fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Err(error) = run(&words) else {
        return std::process::ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    for cause in causes(&*error) {
        eprintln!("  cause: {cause}");
    }
    if let Some(hint) = error
        .downcast_ref::<ToolkitError>()
        .and_then(ToolkitError::hint)
    {
        eprintln!("  hint: {hint}");
    }
    std::process::ExitCode::FAILURE
}
