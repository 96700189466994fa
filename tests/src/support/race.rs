//! One command many times at once on a host, and what became of each.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use fs_err as fs;

use super::{Error, Host, Result, command};

/// Where the runners leave their words, in the host.
const FOLDER: &str = "/root/race";

/// The race's script: its words are the folder, the count and the line of shell that each runs.
/// A runner's pid is that of its command, which takes the shell's place.
const SCRIPT: &str = r#"
mkdir -p "$0" && cd "$0" && rm -f ./*
for i in $(seq "$1"); do (
    start=$(date +%s%N)
    sh -c 'echo $$ >"$0.pid"; eval "exec $1"' "$i" "$2" >"$i.said" 2>&1
    echo "$? $((($(date +%s%N) - start) / 1000000))" >"$i.part" && mv "$i.part" "$i.ended"
) & done
wait"#;

/// A race that goes on.
#[derive(Debug)]
pub struct Race {
    child: Child,
    folder: PathBuf,
    count: usize,
}

/// One of those that run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Its pid, as the host counts.
    pub pid: u32,
    /// Everything that it printed so far.
    pub said: String,
    /// Its exit code, and how long it took in milliseconds; none while it runs.
    pub end: Option<(i32, u64)>,
}

impl Race {
    /// Starts `line`, one command in shell, `count` times as root.
    pub fn start(host: &Host, count: usize, line: &str) -> Result<Self> {
        let number = count.to_string();
        let child = host
            .command(["/bin/bash", "-c", SCRIPT, FOLDER, &number, line])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(Error::io("start a race"))?;
        Ok(Self {
            child,
            folder: host.path(FOLDER),
            count,
        })
    }

    /// Waits until `count` runners have ended, and gives all.
    pub fn wait_for_ends(&self, count: usize, seconds: u64) -> Result<Vec<Runner>> {
        command::wait_for(&format!("the end of {count} runners"), seconds, || {
            let runners = self.runners().map_err(|error| error.to_string())?;
            let ended = runners.iter().filter(|runner| runner.end.is_some()).count();
            if ended >= count {
                return Ok(runners);
            }
            Err(format!("{ended} of {} have ended", self.count))
        })
    }

    /// Every runner, as of now.
    fn runners(&self) -> Result<Vec<Runner>> {
        let read = |number: usize, what: &str| {
            fs::read_to_string(self.folder.join(format!("{number}.{what}")))
        };
        (1..=self.count)
            .map(|number| {
                let pid = read(number, "pid")?;
                let end = read(number, "ended").ok();
                Ok(Runner {
                    pid: number_in(&pid)?,
                    said: read(number, "said")?,
                    end: end.as_deref().map(parse_end).transpose()?,
                })
            })
            .collect()
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse_end(text: &str) -> Result<(i32, u64)> {
    let (code, milliseconds) = text
        .trim()
        .split_once(' ')
        .ok_or_else(|| Error::Wrong(format!("{text:?} is no end of a runner")))?;
    Ok((number_in(code)?, number_in(milliseconds)?))
}

fn number_in<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.trim()
        .parse()
        .map_err(|_| Error::Wrong(format!("{text:?} is no number")))
}

/// A line of shell that prints who holds the lock at a path, by the kernel's table
/// (`proc_locks(5)`); nothing when nobody does.
pub fn holder_of(lock: &str) -> String {
    format!(
        "file=:$(stat -c %i {lock}) && awk -v file=\"$file\" '$2 == \"FLOCK\" && \
         substr($6, length($6) - length(file) + 1) == file {{ print $5; exit }}' /proc/locks"
    )
}
