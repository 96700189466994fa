//! Debian's lighttpd under the toolkit: a web server whose workers hold what must not be lost.
//!
//! The product is called `pages`: one service, `pages.service`, behind `pages.socket`. Its program starts two
//! workers, small HTTP servers that count their requests in memory alone, and becomes lighttpd, which
//! passes requests on to them. The workers are the protected processes: lighttpd is updated and rolled back,
//! and they go on counting. How the service is, its own answer over HTTP says.
//!
//! `httpd make-release DIR VERSION [broken|liar]` writes a release; `httpd install DIR VERSION`,
//! `httpd update DIR VERSION`, `httpd rollback` and `httpd uninstall` run the toolkit on this machine.
//! There is no rescue here: what a dead update leaves, the next command rolls back.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example is a program for people"
)]

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use banger_installer::effect::{
    Answer, BoxError, Health, HostProcesses, Processes, ProtectedProcesses,
};
use banger_installer::model::{
    Hint, Layout, Owner, ProcessIdentity, Product, ProductBuilder, ProtectedProcess, Requirement,
    UnitName, UnitSpec, Version,
};
use banger_installer::plan::Purge;
use banger_installer::toolkit::{
    Event, HostSide, InstallRequest, Outcome, ReleaseFolder, Report, RollbackRequest, Session,
    ToolkitError, UninstallRequest, UpdateRequest,
};
use banger_installer::unit::Values;

/// The daemon: says its version, starts the workers that do not run, and becomes lighttpd.
const DAEMON: &str = r#"#!/bin/sh
if [ "$1" = --version ]; then echo "pagesd @version@"; exit 0; fi
for number in 1 2; do
    kill -0 "$(cat /run/pages/worker-$number 2>/dev/null)" 2>/dev/null && continue
    # the socket that systemd listens on is lighttpd's alone
    perl -MIO::Socket::UNIX -e "$WORKER" /run/pages/$number.sock 3<&- &
    echo $! > /run/pages/worker-$number
done
cat > /run/pages/lighttpd.conf <<END
server.modules = ("mod_setenv", "mod_proxy")
server.document-root = "/run/pages"
server.bind = "127.0.0.1"
server.port = 8080
server.systemd-socket-activation = "enable"
setenv.add-response-header = ("Pages-Version" => "@says@")
\$HTTP["url"] == "/1" { proxy.server = ("" => ((@host@ => "/run/pages/1.sock"))) }
\$HTTP["url"] == "/2" { proxy.server = ("" => ((@host@ => "/run/pages/2.sock"))) }
END
exec lighttpd -D -f /run/pages/lighttpd.conf
"#;

/// A worker: answers each request with the number of it.
const WORKER: &str = "unlink $ARGV[0]; \
my $door = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 64) or die $!; my $count = 0; \
while (my $peer = $door->accept) { while (<$peer>) { last if /^\\r?$/ } $count++; \
print $peer qq(HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n$count\\n); close $peer }";

/// SIGINT lets lighttpd finish what it has begun; meanwhile systemd keeps the socket. Without the start
/// limits off, systemd would close the socket of a version that fails again and again.
const SERVICE: &str = "\
[Unit]
Description=pages @version@
Requires=pages.socket
After=pages.socket
StartLimitIntervalSec=0
[Service]
ExecStart=@programs@/pagesd
Environment=\"WORKER=@worker@\"
User=www-data
KillMode=process
KillSignal=SIGINT
RuntimeDirectory=pages
RuntimeDirectoryPreserve=yes
Restart=always
RestartSec=200ms
[Install]
WantedBy=multi-user.target
";

const SOCKET: &str = "\
[Unit]
Description=pages over HTTP
StartLimitIntervalSec=0
[Socket]
ListenStream=127.0.0.1:8080
TriggerLimitIntervalSec=0
[Install]
WantedBy=sockets.target
";

struct Pages;

impl ProtectedProcesses for Pages {
    fn list(&self) -> Result<Vec<ProtectedProcess>, BoxError> {
        let service: UnitName = "pages.service".parse()?;
        let workers = ["1", "2"].into_iter().filter_map(|number| {
            let text = std::fs::read_to_string(format!("/run/pages/worker-{number}")).ok()?;
            let pid = text.trim().parse().ok()?;
            let facts = HostProcesses.facts(pid)?;
            let worker = ProtectedProcess {
                name: format!("worker {number}"),
                id: number.into(),
                identity: ProcessIdentity {
                    pid,
                    start_time: facts.start_time,
                },
                control_group: facts.control_group,
            };
            // the file is www-data's to write: what it names must be the service's, or have been
            let is_ours = worker.lives_in(&service) || worker.control_group.contains("/pages-");
            is_ours.then_some(worker)
        });
        Ok(workers.collect())
    }
}

impl Health for Pages {
    fn probe(&self, _unit: &UnitName) -> Result<Answer, BoxError> {
        let bound = Duration::from_secs(2);
        let mut stream =
            TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], 8080)), bound)?;
        stream.set_read_timeout(Some(bound))?;
        stream.write_all(b"HEAD /version HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.take(64 * 1024).read_to_string(&mut answer)?;
        let said = answer
            .lines()
            .find_map(|line| line.strip_prefix("Pages-Version: "));
        let version: Version = said.ok_or("an answer without a version")?.trim().parse()?;
        Ok(version.into())
    }
}

struct Print;

impl Report for Print {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::StepStarted { step, why } => println!("  … {step} ({why})"),
            Event::StepFailed { cause, .. } => println!("  ✗ {cause}"),
            _ => {}
        }
    }
}

fn product() -> Result<Product, Box<dyn Error>> {
    let mut layout = Layout::new("pages");
    layout.product_state = vec!["/run/pages".into()];
    Ok(ProductBuilder::new("pages", "any")
        .program("pagesd")
        .unit(UnitSpec::new("pages.socket".parse()?).enabled())
        .unit(UnitSpec::new("pages.service".parse()?).enabled().stateful())
        .layout(layout)
        .requires(Requirement {
            path: "/usr/sbin/lighttpd".into(),
            what: "lighttpd".into(),
            hint: "sudo apt install lighttpd".into(),
        })
        .hint_text(|hint| match hint {
            Hint::Install => "sudo httpd install DIR VERSION".into(),
            Hint::StopFirst => "sudo pkill -u www-data perl".into(),
            other => other.to_string(),
        })
        .build()?)
}

fn make_release(folder: &Path, version: &str, behaviour: &str) -> std::io::Result<()> {
    let daemon = DAEMON
        .replace(
            "@says@",
            if behaviour == "liar" {
                "9.9.9"
            } else {
                "@version@"
            },
        )
        .replace(
            "@host@",
            if behaviour == "broken" {
                ""
            } else {
                "\"host\""
            },
        )
        .replace("@version@", version);
    std::fs::create_dir_all(folder.join("bin"))?;
    std::fs::create_dir_all(folder.join("units"))?;
    let program = folder.join("bin/pagesd");
    std::fs::write(&program, daemon)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    let service = SERVICE.replace("@version@", version);
    std::fs::write(folder.join("units/pages.service.in"), service)?;
    std::fs::write(folder.join("units/pages.socket.in"), SOCKET)
}

fn values() -> Values {
    Values::new()
        .with("programs", "/usr/local/bin")
        .with("worker", WORKER)
}

fn run(words: &[&str]) -> Result<(), Box<dyn Error>> {
    if let ["make-release", folder, version, behaviour @ ..] = words {
        let behaviour = behaviour.first().unwrap_or(&"");
        return Ok(make_release(Path::new(folder), version, behaviour)?);
    }
    let product = product()?;
    let side = HostSide::connect()?;
    let interrupt = AtomicBool::new(false);
    let effects = side.effects(&Pages, &Pages, &interrupt);
    let mut report = Print;
    let mut session = Session::begin(&product, effects, &mut report)?;
    let outcome = match words {
        ["install", folder, version] => {
            let owner = Owner {
                user: "www-data".into(),
                uid: 33,
                gid: 33,
                home: "/var/www".into(),
            };
            let release = ReleaseFolder::new(*folder, version.parse()?);
            session.install(&InstallRequest::new(owner, release, values()))?
        }
        ["update", folder, version] => {
            let release = ReleaseFolder::new(*folder, version.parse()?);
            session.update(&UpdateRequest::unverified(release, values(), false))?
        }
        ["rollback"] => session.rollback(&RollbackRequest::new(values()))?,
        ["uninstall"] => session.uninstall(UninstallRequest::new(Purge::State))?,
        other => return Err(format!("no such command: {other:?}").into()),
    };
    let unchanged = matches!(outcome, Outcome::Unchanged);
    println!("{}", if unchanged { "unchanged" } else { "changed" });
    Ok(())
}

fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Err(error) = run(&words) else {
        return std::process::ExitCode::SUCCESS;
    };
    eprintln!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  cause: {cause}");
        source = cause.source();
    }
    if let Some(hint) = error
        .downcast_ref::<ToolkitError>()
        .and_then(ToolkitError::hint)
        && let Ok(product) = product()
    {
        eprintln!("  hint: {}", product.hint_text.of(&hint));
    }
    std::process::ExitCode::FAILURE
}
