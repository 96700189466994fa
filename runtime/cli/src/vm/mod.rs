//! `banger vm`: a VM's life from the command line.
//!
//! Guarantees: the daemon is dialled by its owner alone; a file is opened with the caller's rights
//! and handed on as a descriptor; each error says what to type next.

mod context;
mod error;
mod logs;
mod table;
mod terminal;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

pub use context::Context;
pub use error::VmError;

use super::screen::shown;
use crate::protocol::client::call;
use crate::protocol::{
    ByName, Cpus, GraceSeconds, Health, ListVms, MemoryMib, NewVm, OwnerRequest, StopVm, VmList,
    VmSummary, limits,
};

/// What can be done with VMs.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum VmCommand {
    /// Start a new VM.
    #[command(after_help = "\
Examples:
  banger vm run web --kernel vmlinux
  banger vm run db --kernel vmlinux --rootfs disk.ext4 --cpus 2 --memory 512")]
    Run {
        /// Its name: lower-case letters, digits and hyphens, at most 64.
        name: String,
        /// The guest's kernel: an uncompressed ELF file (vmlinux).
        #[arg(long, value_name = "FILE")]
        kernel: PathBuf,
        /// The guest's root disk, an image of an ext4 file system. The VM works on a copy.
        #[arg(long, value_name = "FILE")]
        rootfs: Option<PathBuf>,
        /// Virtual processors, 1 to 32.
        #[arg(long, value_name = "N", default_value = "1")]
        cpus: Cpus,
        /// Memory in MiB.
        #[arg(long, value_name = "MIB", default_value = "128")]
        memory: MemoryMib,
    },
    /// Show every VM.
    List {
        /// As JSON: fields are added over time, never renamed or removed.
        #[arg(long)]
        json: bool,
    },
    /// Show what a VM wrote to its console.
    Logs {
        /// The VM.
        name: String,
        /// Go on showing what comes, until the VM is deleted or Ctrl-C.
        #[arg(short, long)]
        follow: bool,
    },
    /// Stop a VM. Its disk and its name stay until it is deleted.
    Stop {
        /// The VM.
        name: String,
        /// Seconds that the guest has to shut down by itself, 0 to 10.
        #[arg(long, value_name = "SECONDS", default_value = "5")]
        grace: GraceSeconds,
    },
    /// Remove a VM that does not run, with its disk and log.
    Delete {
        /// The VM.
        name: String,
    },
}

/// Does what the command says.
///
/// # Errors
/// [`VmError`].
pub fn run(command: VmCommand, context: &Context) -> Result<(), VmError> {
    let client = Client::new(context)?;
    let Asked {
        request,
        files,
        show,
    } = Asked::from(command)?;
    match show {
        Show::List { json } => {
            let vms = client.list(request)?;
            let text = table::render(&vms, json)?;
            if json {
                raw(text.trim_end())
            } else {
                text.lines().try_for_each(say)
            }
        }
        Show::Log { follow } => {
            let (_, log): (serde_json::Value, _) = client.ask(request, &files, limits::READ)?;
            logs::copy(log, follow)
        }
        Show::Change { done } => {
            let vm: VmSummary = client.ask(request, &files, limits::CHANGE)?.0;
            let pid = vm
                .pid
                .map_or_else(String::new, |pid| format!("   pid {pid}"));
            say(&format!("{} is {done}{pid}", vm.name))
        }
    }
}

/// A command whose words were judged and whose files are open.
struct Asked {
    request: OwnerRequest,
    files: Vec<OwnedFd>,
    show: Show,
}

/// What is shown when it is done.
enum Show {
    Change { done: &'static str },
    List { json: bool },
    Log { follow: bool },
}

impl Asked {
    fn from(command: VmCommand) -> Result<Self, VmError> {
        let asked = |request, show| Self {
            request,
            files: Vec::new(),
            show,
        };
        Ok(match command {
            VmCommand::Run {
                name,
                kernel,
                rootfs,
                cpus,
                memory,
            } => {
                let new = NewVm {
                    name: name.parse()?,
                    cpus,
                    memory_mib: memory,
                    rootfs: rootfs.is_some(),
                };
                let mut files = vec![open("kernel", &kernel)?];
                if let Some(rootfs) = &rootfs {
                    files.push(open("root disk", rootfs)?);
                }
                let request = OwnerRequest::Run(new);
                let show = Show::Change { done: "running" };
                Self {
                    request,
                    files,
                    show,
                }
            }
            VmCommand::List { json } => {
                asked(OwnerRequest::List(ListVms::default()), Show::List { json })
            }
            VmCommand::Logs { name, follow } => {
                asked(OwnerRequest::Log(by_name(&name)?), Show::Log { follow })
            }
            VmCommand::Stop { name, grace } => {
                let which = StopVm {
                    name: name.parse()?,
                    grace_seconds: grace,
                };
                asked(OwnerRequest::Stop(which), Show::Change { done: "stopped" })
            }
            VmCommand::Delete { name } => {
                let request = OwnerRequest::Delete(by_name(&name)?);
                asked(request, Show::Change { done: "deleted" })
            }
        })
    }
}

fn by_name(name: &str) -> Result<ByName, VmError> {
    Ok(ByName {
        name: name.parse()?,
    })
}

fn open(what: &'static str, path: &Path) -> Result<OwnedFd, VmError> {
    let opened = std::fs::File::open(path).map_err(|source| VmError::File {
        what,
        path: path.into(),
        source,
    })?;
    Ok(opened.into())
}

/// A line for people: names and reasons come from elsewhere, and steer no terminal.
fn say(line: &str) -> Result<(), VmError> {
    raw(&line.chars().map(shown).collect::<String>())
}

fn raw(text: &str) -> Result<(), VmError> {
    use std::io::Write as _;
    writeln!(anstream::stdout(), "{text}").map_err(VmError::Output)
}

/// A daemon that was made sure of.
struct Client<'context> {
    context: &'context Context,
    runtime: tokio::runtime::Runtime,
}

impl<'context> Client<'context> {
    /// Makes sure of the daemon: installed, for this caller, and answering.
    fn new(context: &'context Context) -> Result<Self, VmError> {
        context.check_caller()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(VmError::Runtime)?;
        let client = Self { context, runtime };
        let _: (Health, _) = client.ask(OwnerRequest::Health {}, &[], limits::HEALTH)?;
        Ok(client)
    }

    /// Every VM, by name, page by page from `request` on.
    fn list(&self, mut request: OwnerRequest) -> Result<Vec<VmSummary>, VmError> {
        let mut vms = Vec::new();
        loop {
            let page: VmList = self.ask(request, &[], limits::READ)?.0;
            vms.extend(page.vms);
            let Some(next) = page.next else { break };
            request = OwnerRequest::List(ListVms { after: Some(next) });
        }
        vms.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(vms)
    }

    fn ask<T: DeserializeOwned + std::fmt::Debug>(
        &self,
        request: OwnerRequest,
        files: &[OwnedFd],
        bound: Duration,
    ) -> Result<(T, Vec<OwnedFd>), VmError> {
        let answer = call(&self.context.socket, request, files, bound);
        self.runtime.block_on(answer).map_err(VmError::from)
    }
}
