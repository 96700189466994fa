//! Asks the owner daemon all the time, as several clients at once, until its input ends, then prints
//! what they counted as JSON.
//!
//! It speaks varlink's framing (JSON, ended by a NUL) by itself, with the standard library alone: a
//! client that shares no code with the daemon, and that never asks twice to hide a failure.
#![allow(clippy::print_stdout, reason = "a program; its output is its result")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use banger_tests::support::api::Tally;
use clap::Parser;

/// A request that is not answered within this has failed.
const BOUND: Duration = Duration::from_secs(30);
/// An answer is not longer than this.
const ANSWER_LIMIT: u64 = 1 << 20;
const METHODS: [&str; 2] = ["Health", "List"];

/// Asks the owner daemon until standard input ends
#[derive(Debug, Parser)]
struct Arguments {
    /// The daemon's socket
    #[arg(long)]
    socket: PathBuf,
    /// The pause between two requests, in milliseconds
    #[arg(long, default_value_t = 2)]
    every: u64,
    /// How many clients ask at the same time
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// The interface that is asked for its health and its list
    #[arg(long, default_value = "org.banger.Owner")]
    interface: String,
    /// Send each byte of a request by itself, with this pause after it, in microseconds
    #[arg(long, value_name = "PAUSE")]
    byte_by_byte: Option<u64>,
    /// A VM that every list must show as running; and every answer about health must say ready
    #[arg(long, value_name = "NAME")]
    ready_with: Option<String>,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        end.store(true, Ordering::SeqCst);
    });
    let arguments = Arc::new(arguments);
    let askers: Vec<_> = (0..arguments.clients)
        .map(|_| {
            let (arguments, ended) = (Arc::clone(&arguments), Arc::clone(&ended));
            std::thread::spawn(move || ask_until(&ended, &arguments))
        })
        .collect();
    let mut all = Tally::default();
    for asker in askers {
        let tally = asker
            .join()
            .map_err(|_| io::Error::other("a client panicked"))?;
        all.add(tally);
    }
    println!("{}", serde_json::to_string(&all)?);
    Ok(())
}

fn ask_until(ended: &AtomicBool, arguments: &Arguments) -> Tally {
    let mut tally = Tally::default();
    while !ended.load(Ordering::SeqCst) {
        for method in METHODS {
            let start = Instant::now();
            let answer = ask(arguments, method).and_then(|answer| match &arguments.ready_with {
                Some(vm) if !is_ready(&answer, vm) => Err(io::Error::other(format!(
                    "answered before it was ready: {answer}"
                ))),
                _ => Ok(answer),
            });
            count(&mut tally, method, start.elapsed(), answer);
            std::thread::sleep(Duration::from_millis(arguments.every));
        }
    }
    tally
}

fn count(tally: &mut Tally, method: &str, wait: Duration, answer: io::Result<serde_json::Value>) {
    tally.requests += 1;
    let wait = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
    tally.longest_wait_us = tally.longest_wait_us.max(wait);
    let failure = match answer {
        Ok(answer) if answer.get("error").is_none() => {
            note_version(tally, &answer);
            return;
        }
        Ok(answer) => answer.to_string(),
        Err(error) => error.to_string(),
    };
    tally.failed += 1;
    let request = tally.requests;
    tally
        .first_failure
        .get_or_insert_with(|| format!("request {request}, {method}: {failure}"));
}

fn note_version(tally: &mut Tally, answer: &serde_json::Value) {
    let version = answer
        .pointer("/parameters/version")
        .and_then(serde_json::Value::as_str);
    if let Some(version) = version
        && !tally.versions.iter().any(|known| known == version)
    {
        tally.versions.push(version.to_owned());
    }
}

/// Whether a daemon that gives this answer has read its state and found its guests.
fn is_ready(answer: &serde_json::Value, vm: &str) -> bool {
    let parameters = &answer["parameters"];
    match parameters["vms"].as_array() {
        Some(vms) => vms
            .iter()
            .any(|one| one["name"] == vm && one["state"] == "running"),
        None => parameters["ready"] == true,
    }
}

fn ask(arguments: &Arguments, method: &str) -> io::Result<serde_json::Value> {
    let mut stream = UnixStream::connect(&arguments.socket)?;
    stream.set_read_timeout(Some(BOUND))?;
    stream.set_write_timeout(Some(BOUND))?;
    let method = format!("{}.{method}", arguments.interface);
    let request = serde_json::json!({"method": method, "parameters": {}});
    let request = format!("{request}\0");
    match arguments.byte_by_byte {
        None => stream.write_all(request.as_bytes())?,
        Some(pause) => {
            for byte in request.bytes() {
                stream.write_all(&[byte])?;
                std::thread::sleep(Duration::from_micros(pause));
            }
        }
    }
    let mut answer = Vec::new();
    BufReader::new(stream.take(ANSWER_LIMIT)).read_until(0, &mut answer)?;
    if answer.pop() != Some(0) {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection was closed before the answer",
        ));
    }
    Ok(serde_json::from_slice(&answer)?)
}
