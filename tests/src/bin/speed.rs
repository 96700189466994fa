//! How long the commands that people and scripts wait for take on a throwaway host, beside a tool of
//! the host's own that asks the same: `cargo run --locked -p banger-tests --bin speed`. By hand, not
//! a test: a busy machine is slower, and the ratio tells more than the milliseconds.
#![allow(clippy::print_stdout, reason = "a program; its output is its result")]

use banger_tests::support::releases::Releases;
use banger_tests::support::stage::{OWNER, Stage};
use banger_tests::support::{Error, Result, programs};
use clap::Parser;

/// What `banger system status` asks systemd about, asked by systemd's own tool.
const SHOW: &str = "systemctl show banger.slice bangerd-root.socket bangerd.socket \
                    bangerd-root.service bangerd.service";

/// Time the commands that people wait for
#[derive(Debug, Parser)]
struct Arguments {
    /// How often each is run
    #[arg(long, default_value_t = 21)]
    runs: usize,
    /// How many guests run meanwhile
    #[arg(long, default_value_t = 5)]
    guests: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    programs::build_own()?;
    let releases = Releases::new()?;
    let release = releases.sound("0.1.0")?;
    let stage = Stage::new(releases)?;
    stage.install(&release)?.ok()?;
    for number in 0..arguments.guests {
        stage.run_guest(&format!("guest-{number}"))?;
    }
    let install = format!("/usr/local/bin/banger system install --owner {OWNER}");
    let rows = [
        (SHOW, None),
        ("/usr/local/bin/banger --version", None),
        ("/usr/local/bin/banger system status --json", Some(50.0)),
        (install.as_str(), Some(500.0)),
        ("/usr/local/bin/banger system restart", None),
    ];
    println!(
        "{} runs each, {} guests; milliseconds",
        arguments.runs, arguments.guests
    );
    println!(
        "{:>8} {:>8} {:>8} {:>7}  ",
        "least", "median", "most", "ratio"
    );
    let mut beside = None;
    for (line, bound) in rows {
        let times = time(&stage, line, arguments.runs)?;
        let (least, median, most) = (times[0], times[times.len() / 2], times[times.len() - 1]);
        let ratio = median / *beside.get_or_insert(median);
        let bound = bound.map_or_else(String::new, |bound: f64| {
            let word = if median < bound { "within" } else { "OVER" };
            format!(", {word} {bound} ms")
        });
        println!("{least:>8.1} {median:>8.1} {most:>8.1} {ratio:>6.1}x  {line}{bound}");
    }
    Ok(())
}

/// Runs a line in the host again and again, timed there; sorted, in milliseconds.
fn time(stage: &Stage, line: &str, runs: usize) -> Result<Vec<f64>> {
    let script = format!(
        "for i in $(seq {runs}); do s=${{EPOCHREALTIME/./}}; {line} >/dev/null || exit; \
         echo $((${{EPOCHREALTIME/./}} - s)); done"
    );
    let said = stage.host.run(["/bin/bash", "-c", &script])?.ok()?;
    let mut times = said
        .lines()
        .map(|line| {
            let microseconds: u32 = line
                .parse()
                .map_err(|_| Error::Wrong(format!("{line:?} is no time")))?;
            Ok(f64::from(microseconds) / 1000.0)
        })
        .collect::<Result<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);
    if times.len() == runs && runs > 0 {
        return Ok(times);
    }
    Err(Error::Wrong(format!(
        "{} times of {runs} runs of {line}",
        times.len()
    )))
}
