//! What a command of root's begins with: nothing of its caller's reaches its work but what is meant to.
//!
//! Guarantees: from here on the environment is a known set and the umask is 022. Variables cannot be
//! taken from a process that runs, so the program takes its own place once, with fewer of them.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;

use banger_installer::error_kind::ErrorKind;

use super::{Failure, caller, probation};

/// Where programs are looked for: what sudo(8) and systemd give.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What stays: who called, how to write on the terminal, the way to the network, and what the manual
/// names.
const KEPT: [&str; 25] = [
    "BANGER_HELPER_COVERAGE_DIR",
    "BANGER_OWNER_COVERAGE_DIR",
    probation::VARIABLE,
    "SUDO_USER",
    "SUDO_UID",
    "SUDO_GID",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLORTERM",
    "TERM",
    "LANG",
    "LC_ALL",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    // authorities of a proxy that looks into TLS; what comes is signed all the same
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    // how much a panic tells
    "RUST_BACKTRACE",
    "PATH",
];

/// Makes sure that the caller is root, and that the process is root's alone.
///
/// # Errors
/// [`Failure`]: another user; or the program cannot take its own place.
pub(super) fn enter() -> Result<(), Failure> {
    caller::require_root()?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let found: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let kept = cleared(&found);
    if kept == found {
        return Ok(());
    }
    let mut words = std::env::args_os();
    // the kernel's own link: the path may name another program by now
    let mut again = std::process::Command::new("/proc/self/exe");
    again
        .arg0(words.next().unwrap_or_else(|| "banger".into()))
        .args(words)
        .env_clear()
        .envs(kept);
    let error = again.exec();
    Err(Failure::new(
        &error,
        Some("see that /proc is mounted, and try again".into()),
        ErrorKind::HostLacks,
    ))
}

/// What stays of an environment, in its order.
fn cleared(found: &[(OsString, OsString)]) -> Vec<(OsString, OsString)> {
    let is_kept = |name: &OsStr| KEPT.iter().any(|kept| name == *kept);
    found
        .iter()
        .filter(|(name, _)| is_kept(name))
        .map(|(name, value)| {
            let value = if name == "PATH" {
                PATH.into()
            } else {
                value.clone()
            };
            (name.clone(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    #[test]
    fn nothing_of_the_callers_environment_reaches_roots_work_but_what_is_meant_to() {
        let kept = environment(&[
            ("PATH", PATH),
            ("SUDO_USER", "alice"),
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("NO_COLOR", "1"),
            ("BANGER_OWNER_COVERAGE_DIR", "/var/coverage"),
        ]);
        assert_eq!(cleared(&kept), kept, "a second start changes nothing");
        let mut all = environment(&[
            ("LLVM_PROFILE_FILE", "/home/alice/%p.profraw"),
            ("TMPDIR", "/home/alice"),
            ("TAR_OPTIONS", "--to-command=sh"),
            ("GZIP", "-9"),
            ("IFS", "x"),
            ("LD_PRELOAD", "/home/alice/evil.so"),
            ("LD_LIBRARY_PATH", "/home/alice"),
            ("BANGER_SOMETHING", "else"),
        ]);
        all.extend(kept.clone());
        if let Some((_, path)) = all.iter_mut().find(|(name, _)| name == "PATH") {
            *path = "/home/alice/bin".into();
        }
        assert_eq!(cleared(&all), kept);
    }
}
