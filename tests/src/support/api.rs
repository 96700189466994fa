//! A client that asks the owner daemon all the time, and counts.

use std::process::{Child, Stdio};

use serde::{Deserialize, Serialize};

use super::{Error, Host, Result, programs};

/// Where the client lies in a host.
const PROGRAM: &str = "/usr/local/libexec/api-client";

const OWNER_SOCKET: &str = "/run/banger/bangerd.sock";
const HELPER_SOCKET: &str = "/run/banger-root/bangerd-root.sock";

/// Whom the client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daemon {
    /// The owner daemon.
    Owner,
    /// The root helper.
    Helper,
}

/// What the client counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Requests sent, each over a connection of its own.
    pub requests: u64,
    /// Those that brought no good answer within 30 s.
    pub failed: u64,
    /// What went wrong first.
    pub first_failure: Option<String>,
    /// The longest time from the connection to the answer, in microseconds.
    pub longest_wait_us: u64,
    /// Every version that a daemon said, in the order of their first appearance.
    pub versions: Vec<String>,
}

impl Tally {
    /// Adds what another client counted.
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.longest_wait_us = self.longest_wait_us.max(other.longest_wait_us);
        if self.first_failure.is_none() {
            self.first_failure = other.first_failure;
        }
        for version in other.versions {
            if !self.versions.contains(&version) {
                self.versions.push(version);
            }
        }
    }
}

/// The running client.
#[derive(Debug)]
pub struct Client {
    child: Option<Child>,
}

impl Client {
    /// Starts to ask, as `user`.
    pub fn start(host: &Host, user: &str) -> Result<Self> {
        host.copy(&programs::own("api-client")?, PROGRAM)?;
        Self::with(host, user, &[])
    }

    /// One client that asks every so many milliseconds.
    pub fn paced(host: &Host, user: &str, every: u64) -> Result<Self> {
        host.copy(&programs::own("api-client")?, PROGRAM)?;
        Self::with(host, user, &["--clients=1", &format!("--every={every}")])
    }

    /// Four clients that ask a daemon byte by byte, so that its stop finds them at any place of a
    /// request, and for whom an answer that does not know the running guest `vm` has failed.
    pub fn raw(host: &Host, user: &str, daemon: Daemon, vm: &str) -> Result<Self> {
        host.copy(&programs::own("api-client")?, PROGRAM)?;
        let (socket, interface) = match daemon {
            Daemon::Owner => (OWNER_SOCKET, "org.banger.Owner"),
            Daemon::Helper => (HELPER_SOCKET, "org.banger.Helper"),
        };
        let words = [
            "--clients=4",
            "--byte-by-byte=1000",
            "--ready-with",
            vm,
            "--interface",
            interface,
        ];
        Self::start_program(host, user, socket, &words)
    }

    fn with(host: &Host, user: &str, words: &[&str]) -> Result<Self> {
        Self::start_program(host, user, OWNER_SOCKET, words)
    }

    fn start_program(host: &Host, user: &str, socket: &str, words: &[&str]) -> Result<Self> {
        let program = [PROGRAM, "--socket", socket];
        let child = host
            .command_as(user, [&program, words].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io("start the API client"))?;
        Ok(Self { child: Some(child) })
    }

    /// Ends the client by the end of its input, and takes its tally.
    pub fn stop(mut self) -> Result<Tally> {
        let mut child = self
            .child
            .take()
            .ok_or_else(|| Error::Wrong("stopped twice".into()))?;
        drop(child.stdin.take());
        let output = child
            .wait_with_output()
            .map_err(Error::io("wait for the API client"))?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            Error::Wrong(format!(
                "the API client ended with {} and said {}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ))
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}
