//! The release server, on a host's loopback.

use std::path::Path;
use std::process::{Child, Stdio};

use fs_err as fs;

use super::{Error, Host, Result, command, programs};

/// Where it listens in the host.
pub const URL: &str = "https://127.0.0.1:8443";
const ADDRESS: &str = "127.0.0.1:8443";
/// Where the host's TLS clients look for authorities.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The release server, on the host's loopback. It runs as a program of this machine in the host's
/// network and reads a folder outside of the host.
#[derive(Debug)]
pub struct Server {
    child: Child,
}

impl Server {
    /// Serves a folder of this machine at [`URL`] in the host, and has the host trust its authority, whose
    /// certificate is written beside the folder.
    pub fn start(host: &Host, folder: &Path) -> Result<Self> {
        let program = programs::own("release-server")?;
        let authority = folder.with_file_name("authority.pem");
        let mut command = host.command_in_network([program]);
        command.arg("--dir").arg(folder);
        command
            .args(["--listen", ADDRESS, "--ca-out"])
            .arg(&authority);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(Error::io("start the release server"))?;
        let mut server = Self { child };
        let certificate = server.authority(&authority)?;
        host.write(AUTHORITIES, certificate)?;
        Ok(server)
    }

    /// The authority's certificate, which the server writes when it listens.
    fn authority(&mut self, path: &Path) -> Result<String> {
        command::wait_for("the release server", 10, || {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended with {status}"));
            }
            match fs::read_to_string(path) {
                Ok(text) if text.contains("END CERTIFICATE") => Ok(text),
                Ok(_) => Err("an unfinished certificate".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
