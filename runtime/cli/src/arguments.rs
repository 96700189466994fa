//! The words that `banger` understands.

use std::path::PathBuf;

use banger_installer::model::Version;
use clap::{Args, Parser, Subcommand};

use super::vm::VmCommand;

/// Firecracker microVM sandboxes that outlive updates of the tool that runs them
#[derive(Debug, Parser)]
#[command(
    name = "banger",
    version,
    propagate_version = false,
    arg_required_else_help = true,
    after_help = "\
Examples:
  sudo banger system install --owner alice   set everything up for alice
  banger vm run web --kernel vmlinux         start a VM
  banger vm list                             what runs
  sudo banger update                         move to the newest release; no VM is touched

Exit codes:
  0 done   1 other failure   2 usage   3 not permitted   4 not installed or not reachable
  5 the host lacks something   6 release refused   7 no release source, or not reachable
  8 another operation is in progress   9 rolled back   10 an update is available (update --check)
  11 bad name or file   12 guests in the way   13 a receipt or journal is damaged
  14 a masked unit, or another's, in the way
  130 interrupted and rolled back"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Install, look at, restart or remove banger's services
    #[command(subcommand)]
    System(SystemCommand),
    /// Move to a newer release; no VM is touched
    Update(UpdateOptions),
    /// Run, list and end VMs
    #[command(subcommand)]
    Vm(VmCommand),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages into a folder
    #[command(hide = true)]
    Man {
        /// The folder; it must exist
        directory: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SystemCommand {
    /// Write, enable and start everything; safe to run again at any time
    #[command(after_help = "\
Examples:
  sudo banger system install                 for the user who called sudo
  sudo banger system install --owner alice   for alice
  sudo banger system install --auto-update   and take unattended updates
  sudo banger system install --dry-run       what that would do, step by step")]
    Install(InstallOptions),
    /// What is installed, what runs, what is stale, in one look
    Status {
        /// JSON for scripts
        #[arg(long)]
        json: bool,
    },
    /// Restart both daemons; no VM is touched
    Restart {
        /// Stop guests that would be killed and cannot be moved out of the way, instead of refusing
        #[arg(long)]
        stop_guests: bool,
        #[command(flatten)]
        dry_run: DryRunOptions,
    },
    /// What banger-rescue.service runs: roll back what a dead update left, watch a new version
    #[command(hide = true)]
    Rescue,
    /// Carry out what the installed version began: how `banger update` calls a release's own program
    #[command(hide = true)]
    CarryOut {
        /// Descriptors that are inherited
        #[arg(long, value_name = "NUMBERS")]
        handover: String,
    },
    /// What banger-rescue.service runs before the daemons start: roll back or finish an operation that
    /// was interrupted
    #[command(hide = true)]
    Recover,
    /// Remove banger from this machine
    #[command(after_help = "\
Examples:
  sudo banger system uninstall           keep VM state, configuration and keys
  sudo banger system uninstall --purge   leave nothing behind
  sudo banger system uninstall --stop-guests   though guests run")]
    Uninstall {
        /// Remove state, configuration and keys too
        #[arg(long)]
        purge: bool,
        /// Stop the guests that run, instead of refusing
        #[arg(long)]
        stop_guests: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        dry_run: DryRunOptions,
    },
}

/// Showing instead of doing.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct DryRunOptions {
    /// Show each step with its reason and the fate of each guest, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// JSON for scripts, with --dry-run
    #[arg(long, requires = "dry_run")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct InstallOptions {
    /// The user that the VMs belong to (default: the user who called sudo)
    #[arg(long, value_name = "USER")]
    pub(super) owner: Option<String>,
    /// Give the VMs of an installed banger to another owner without asking
    #[arg(long, requires = "owner")]
    pub(super) change_owner: bool,
    /// Take unattended updates, once a day at an hour of this machine's own: the same as
    /// `banger update --yes`. `--auto-update=off` ends that
    #[arg(
        long,
        value_name = "on|off",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "on",
        hide_possible_values = true
    )]
    pub(super) auto_update: Option<Switch>,
    /// Stop guests that would be killed and cannot be moved out of the way, instead of refusing
    #[arg(long)]
    pub(super) stop_guests: bool,
    #[command(flatten)]
    pub(super) dry_run: DryRunOptions,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo banger update                        from the configured source
  sudo banger update --check                only look; exit code 10 when there is one
  sudo banger update --dry-run              what it would do, step by step
  sudo banger update --from ./releases      from a folder, without a network
  sudo banger update --version 0.1.4        that version, and no other
  sudo banger update --channel beta         follow another channel from now on
  sudo banger update --rollback             back to the version before

Releases come from the sources in /etc/banger/config.toml, asked in their order; {channel} in one
stands for the channel:
  [update]
  sources = [\"https://one.example.org/banger/{channel}\", \"https://two.example.org/banger\"]
Keys that may sign releases lie in /etc/banger/keys.d/*.pub, besides those built in. The proxy is
the environment's: sudo HTTPS_PROXY=http://HOST:PORT banger update")]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(super) struct UpdateOptions {
    /// Look for a newer release and change nothing; exit code 10 when there is one
    #[arg(long, group = "look")]
    pub(super) check: bool,
    /// Fetch and verify, show each step with its reason and the fate of each guest, and change
    /// nothing
    #[arg(long, group = "look")]
    pub(super) dry_run: bool,
    /// Go back to the version before; no VM is touched
    #[arg(long, conflicts_with_all = ["check", "from"])]
    pub(super) rollback: bool,
    /// Take the release from a folder, a file or a URL instead of the configured source; may be given
    /// several times, in the order in which they are asked
    #[arg(long, value_name = "DIR|FILE|URL")]
    pub(super) from: Vec<String>,
    /// Take this version, and no other; also one that was tried here and failed
    #[arg(long, value_name = "VERSION", conflicts_with = "rollback")]
    pub(super) version: Option<Version>,
    /// Follow this channel from now on
    #[arg(long, value_name = "NAME", conflicts_with = "rollback")]
    pub(super) channel: Option<String>,
    /// Take a release though it is older than what is installed, or than what was seen here
    #[arg(long, conflicts_with = "rollback")]
    pub(super) allow_downgrade: bool,
    /// Stop guests that would be killed and cannot be moved out of the way, instead of refusing
    #[arg(long)]
    pub(super) stop_guests: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(super) yes: bool,
    /// JSON for scripts, with --check or --dry-run
    #[arg(long, requires = "look")]
    pub(super) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_sources_may_be_named_and_keep_their_order() {
        let words = ["banger", "update", "--from", "./b", "--from", "https://a"];
        let arguments = Arguments::try_parse_from(words).unwrap();
        let Command::Update(options) = arguments.command else {
            panic!("{arguments:?}");
        };
        assert_eq!(options.from, ["./b", "https://a"]);
    }
}
