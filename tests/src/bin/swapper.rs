//! An owner who puts a link into the place of each socket that appears under a name, as fast as she
//! can. It ends with its input, and prints how often it did.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports"
)]

use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(socket), Some(target)) = (words.next(), words.next()) else {
        eprintln!("usage: swapper SOCKET TARGET");
        return ExitCode::FAILURE;
    };
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        end.store(true, Ordering::Relaxed);
    });
    let link = socket.with_extension("link");
    let mut swaps = 0_u32;
    // one is always ready, so that a swap is a single call
    let _ = symlink(&target, &link);
    while !ended.load(Ordering::Relaxed) {
        let is_socket = |found: std::fs::Metadata| found.file_type().is_socket();
        if !socket.symlink_metadata().is_ok_and(is_socket) {
            continue;
        }
        if std::fs::rename(&link, &socket).is_ok() {
            swaps += 1;
        }
        let _ = symlink(&target, &link);
    }
    println!("{swaps}");
    ExitCode::SUCCESS
}
