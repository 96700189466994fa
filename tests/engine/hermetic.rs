//! What a test host does depends on the test alone, and not on the hour: nothing of the distribution
//! runs by the clock.

use banger_tests::support::releases::Releases;
use banger_tests::support::stage::Stage;
use banger_tests::support::{Host, command, root};

/// Every second is six o'clock to a timer with this drop-in, and there is no delay.
const EVERY_SECOND: &str = "[Timer]\nOnCalendar=*-*-* *:*:*\nOnActiveSec=1s\n\
                            RandomizedDelaySec=0\nAccuracySec=1ms\n";

/// Where a timer of the distribution leaves a trace at six o'clock.
const TRACE: &str = "/var/lib/apt/daily_lock";

fn shell(host: &Host, line: &str) -> String {
    host.shell(line).unwrap().ok().unwrap()
}

fn timers_of_host(host: &Host) -> Vec<String> {
    let list = "systemctl list-timers --all --no-legend --plain --output=json";
    let list: serde_json::Value = serde_json::from_str(&shell(host, list)).unwrap();
    let unit = |timer: &serde_json::Value| timer["unit"].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(unit).collect()
}

#[test]
fn a_host_has_no_timers_but_those_of_the_product() {
    let releases = Releases::new().unwrap();
    let first = releases.sound("0.1.0").unwrap();
    let stage = Stage::new(releases).unwrap();
    assert_eq!(timers_of_host(&stage.host), [""; 0]);
    stage.install(&first).unwrap().ok().unwrap();
    let install = ["system", "install", "--auto-update"];
    stage.banger(&install).unwrap().ok().unwrap();
    assert_eq!(timers_of_host(&stage.host), ["banger-update.timer"]);
}

/// The clock of a host is that of the machine, and nobody may set it. So six o'clock comes to the
/// timers: each of the distribution's, and one of the test's own, is told to elapse every second.
#[test]
fn six_o_clock_passes_and_starts_nothing() {
    let host = Host::new().without_firecracker().build().unwrap();
    let timers = root::timers(&root::base().unwrap()).unwrap();
    for well_known in ["apt-daily.timer", "apt-daily-upgrade.timer"] {
        assert!(timers.contains(well_known), "{timers:?}");
    }
    for timer in &timers {
        let place = format!("/etc/systemd/system/{timer}.d/six.conf");
        host.write(place, EVERY_SECOND).unwrap();
    }
    let count = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo >>/run/six'\n";
    host.write("/etc/systemd/system/six.service", count)
        .unwrap();
    host.write("/etc/systemd/system/six.timer", EVERY_SECOND)
        .unwrap();
    shell(
        &host,
        "systemctl daemon-reload && systemctl start six.timer",
    );
    for timer in &timers {
        let start = host.run(["systemctl", "start", timer]).unwrap();
        assert!(start.stderr.contains("is masked"), "{}", start.text());
    }
    command::wait_for("six o'clock, three times", 60, || {
        let lines = host.shell("wc -l </run/six").unwrap().stdout;
        match lines.trim().parse() {
            Ok(3_u32..) => Ok(()),
            _ => Err(lines),
        }
    })
    .unwrap();
    for timer in &timers {
        assert_eq!(host.property(timer, "LoadState").unwrap(), "masked");
        let service = timer.replace(".timer", ".service");
        let started = host.property(&service, "InvocationID").unwrap();
        assert_eq!(started, "", "{service} was started");
    }
    assert!(!host.path(TRACE).exists());

    // and it is the mask that holds them: without it, the next second leaves the trace
    fs_err::remove_file(host.path("/etc/systemd/system/apt-daily.timer")).unwrap();
    shell(
        &host,
        "systemctl daemon-reload && systemctl restart apt-daily.timer",
    );
    command::wait_for(TRACE, 60, || {
        if host.path(TRACE).exists() {
            Ok(())
        } else {
            Err(host.journal(Some("apt-daily.service")).unwrap_or_default())
        }
    })
    .unwrap();
}
