//! The owner against root: what systemd does in folders that are the owner's.

use std::process::{Child, Stdio};

use banger_tests::support::stage::{OWNER, Stage};
use banger_tests::support::{command, programs};

/// The folders that the owner may write, as the units make them.
const FOLDERS: [&str; 3] = ["/run/banger/", "/var/lib/banger/", "/var/cache/banger/"];
const SOCKET: &str = "/run/banger/bangerd.sock";
/// Root's, and nobody else's to read.
const VICTIM: &str = "/etc/victim";
const RESTART: &str = "systemctl restart bangerd.socket bangerd.service";

fn shell(stage: &Stage, line: &str) -> String {
    stage.host.shell(line).unwrap().ok().unwrap()
}

/// The owner, at work.
struct Swapper(Child);

impl Swapper {
    fn start(stage: &Stage) -> Self {
        let program = programs::own("swapper").unwrap();
        stage.host.copy(&program, "/home/alice/swapper").unwrap();
        let words = ["/home/alice/swapper", SOCKET, VICTIM];
        let child = stage
            .host
            .command_as(OWNER, words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Ends her, and says how often she put a link into the place of the socket.
    fn stop(mut self) -> u32 {
        drop(self.0.stdin.take());
        let output = self.0.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }
}

/// Everything that is the owner's or that everybody may write, outside of her own folders.
fn within_reach(stage: &Stage) -> String {
    let find = "find / -xdev -path /home/alice -prune -o -path /var/lib/banger -prune \
                -o -path /var/cache/banger -prune -o -name 'systemd-private-*' -prune -o ! -type l \
                '(' -user alice -o -group alice -o -perm /o+w ')' -printf '%p %u %g %m\\n' | sort";
    shell(stage, find)
}

#[test]
fn an_owner_who_swaps_the_socket_for_a_link_gets_nothing_of_roots() {
    let stage = Stage::installed("0.1.0").unwrap();
    stage.host.write(VICTIM, "root's\n").unwrap();
    let victim = || {
        shell(
            &stage,
            &format!("chmod 0600 {VICTIM}; stat -c '%u %g' {VICTIM}"),
        )
    };
    assert_eq!(victim(), "0 0");
    let before = within_reach(&stage);

    let swapper = Swapper::start(&stage);
    for round in 0..30 {
        // it may fail while somebody plays with its socket; that hurts the owner alone
        stage.host.shell(RESTART).unwrap();
        assert_eq!(victim(), "0 0", "round {round}");
    }
    assert!(swapper.stop() >= 30, "she did not swap in every round");
    assert_eq!(within_reach(&stage), before);
    shell(&stage, RESTART);
    assert!(stage.vms().unwrap().is_empty());

    // and she is good at it: where systemd is told to give the socket away, the file is soon hers
    let gives_away = format!("[Socket]\nSocketUser={OWNER}\n");
    let place = "/etc/systemd/system/bangerd.socket.d/gives-away.conf";
    stage.host.write(place, gives_away).unwrap();
    shell(&stage, "systemctl daemon-reload");
    let swapper = Swapper::start(&stage);
    command::wait_for("a file of root's that became the owner's", 200, || {
        stage.host.shell(RESTART).unwrap();
        match victim().as_str() {
            "0 0" => Err(VICTIM.to_owned()),
            _ => Ok(()),
        }
    })
    .unwrap();
    swapper.stop();
}

/// Calls that change the file to which a path leads, or make one there.
const CHANGES: &str = "chown,lchown,fchownat,chmod,fchmodat,mknod,mknodat,mkdir,mkdirat,open,openat,\
                       creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,truncate,\
                       setxattr,lsetxattr,utimensat";

#[test]
fn systemd_changes_nothing_by_path_in_the_owners_folders() {
    let stage = Stage::installed("0.1.0").unwrap();
    let stop = "systemctl stop bangerd.service bangerd.socket bangerd-root.service \
                bangerd-root.socket";
    shell(&stage, stop);
    let words = ["strace", "-f", "-s", "256", "-o", "/root/trace", "-p", "1"];
    let mut strace = stage
        .host
        .command(words)
        .args(["-e", &format!("trace=bind,{CHANGES}")])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let tracer = "sed -n 's/^TracerPid:\\t//p' /proc/1/status";
    let tracer = command::wait_for("strace at PID 1", 30, || {
        let pid = shell(&stage, tracer);
        if pid == "0" { Err(pid) } else { Ok(pid) }
    })
    .unwrap();
    // once with all of its folders missing, and once with all of them there and the owner's
    shell(
        &stage,
        "rm -r /run/banger /var/lib/banger /var/cache/banger",
    );
    let start = "systemctl start bangerd-root.socket bangerd.socket bangerd-root.service \
                 bangerd.service";
    for line in [start, stop, start] {
        shell(&stage, line);
    }
    shell(&stage, &format!("kill -INT {tracer}"));
    strace.wait().unwrap();

    let trace = fs_err::read_to_string(stage.host.path("/root/trace")).unwrap();
    let bound = format!("sun_path=\"{SOCKET}\"");
    assert_eq!(trace.matches(&bound).count(), 2, "{trace}");
    let given_away = format!("chown(\"{}\"", banger_product::HELPER_SOCKET);
    assert_eq!(trace.matches(&given_away).count(), 2, "{trace}");
    let inside = |line: &&str| {
        // bind(2) never follows a link: the name is taken then, and systemd removes it
        let reads =
            line.contains("bind(") || (line.contains("openat(") && !line.contains("O_CREAT"));
        !reads && FOLDERS.iter().any(|folder| line.contains(folder))
    };
    let found: Vec<&str> = trace.lines().filter(inside).collect();
    assert!(found.is_empty(), "{found:#?}");
}
