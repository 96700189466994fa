//! A second product under the toolkit: Debian's lighttpd, with workers that must live, on a host of its own.

use banger_tests::support::command::{self, Output, wait_for};
use banger_tests::support::race::Race;
use banger_tests::support::tree::{Tree, tree};
use banger_tests::support::{Host, programs};

const PROGRAM: &str = "/usr/local/sbin/httpd";

/// Asks both workers in turn, by way of lighttpd, until it is told to stop; a line for each answer.
const CLIENT: &str = r#"
use IO::Socket::INET;
$| = 1;
my $turn = 0;
until (-e "/root/stop") {
    my $worker = 1 + $turn++ % 2;
    my $server = IO::Socket::INET->new(PeerAddr => "127.0.0.1:8080", Timeout => 20);
    my $answer = "";
    if ($server) {
        print $server "GET /$worker HTTP/1.0\r\n\r\n";
        $answer = join "", <$server>;
    }
    my ($count) = $answer =~ /^HTTP\/1\.\d 200.*\r\n\r\n(\d+)\n$/s;
    print "$worker ", $count // "failed: $! $answer", "\n";
}
"#;

/// A host on which releases of the example lie.
struct Pages {
    host: Host,
}

impl Pages {
    fn new() -> Self {
        let words = "build --quiet --locked -p banger-installer --example httpd";
        let built = command::run(programs::cargo().args(words.split(' '))).unwrap();
        built.ok().unwrap();
        let host = Host::new().without_firecracker().packages(&["lighttpd"]);
        let host = host.build().unwrap();
        let example = programs::own("examples/httpd").unwrap();
        host.copy(&example, PROGRAM).unwrap();
        host.write("/root/client", CLIENT).unwrap();
        let pages = Self { host };
        for words in ["0.1.0", "0.1.1", "0.1.2 broken", "0.1.3 liar"] {
            let version = words.split(' ').next().unwrap();
            let made = pages.run(&format!("make-release /root/{version} {words}"));
            made.ok().unwrap();
        }
        pages
    }

    fn run(&self, words: &str) -> Output {
        self.host.shell(&format!("{PROGRAM} {words}")).unwrap()
    }

    fn shell(&self, line: &str) -> String {
        self.host.shell(line).unwrap().ok().unwrap().trim().into()
    }

    /// Each worker's pid and start time.
    fn workers(&self) -> String {
        self.shell(
            "for worker in 1 2; do cut -d' ' -f1,22 /proc/$(cat /run/pages/worker-$worker)/stat; done",
        )
    }

    /// The pid of lighttpd.
    fn server(&self) -> String {
        let pid = self.host.property("pages.service", "MainPID").unwrap();
        let name = self.shell(&format!("cat /proc/{}/comm", pid.trim()));
        assert_eq!(name, "lighttpd");
        pid
    }

    /// The version that the server itself says.
    fn version(&self) -> String {
        self.shell(
            r#"perl -MIO::Socket::INET -e '
                my $server = IO::Socket::INET->new("127.0.0.1:8080") or die;
                print $server "HEAD / HTTP/1.0\r\n\r\n";
                for (<$server>) { print $1 if /^Pages-Version: (\S+)/ }'"#,
        )
    }

    /// What the client got so far.
    fn answers(&self) -> Vec<String> {
        let text = self.shell("cat /root/race/1.said");
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until the client has got more.
    fn wait_for_answers(&self) {
        let before = self.answers().len();
        wait_for("answers", 30, || match self.answers().len() {
            now if now > before + 20 => Ok(()),
            now => Err(format!("{now} of them, before {before}")),
        })
        .unwrap();
    }

    /// What of the product lies on the disk; that versions failed is remembered and left out.
    fn tree(&self) -> Tree {
        let tops = [
            "etc",
            "usr/local/lib",
            "usr/local/bin",
            "var/lib/pages-install",
        ];
        let mut found = tree(&self.host.path("/"), &tops).unwrap();
        found.retain(|path, what| !what.starts_with("folder") && !path.ends_with("seen.json"));
        found
    }
}

/// The numbers that one worker gave.
fn counts(answers: &[String], worker: &str) -> Vec<u64> {
    let mine = answers.iter().filter_map(|line| line.strip_prefix(worker));
    mine.map(|count| count.trim().parse().unwrap()).collect()
}

#[test]
fn a_web_server_is_updated_and_rolled_back_while_its_workers_go_on_counting() {
    let pages = Pages::new();
    pages.run("install /root/0.1.0 0.1.0").ok().unwrap();
    let (workers, server) = (pages.workers(), pages.server());
    let line = "perl /root/client";
    let client = Race::start(&pages.host, 1, line).unwrap();
    wait_for("the client", 20, || {
        let there = pages.host.shell("test -s /root/race/1.said").unwrap();
        there.success().then_some(()).ok_or_else(String::new)
    })
    .unwrap();
    pages.wait_for_answers();

    pages.run("update /root/0.1.1 0.1.1").ok().unwrap();
    assert_eq!(pages.version(), "0.1.1");
    assert_ne!(pages.server(), server, "it was not restarted");
    pages.wait_for_answers();

    pages.run("rollback").ok().unwrap();
    assert_eq!(pages.version(), "0.1.0");
    pages.wait_for_answers();

    let before = pages.tree();
    for (version, cause) in [
        ("0.1.2", "pages.service"),
        ("0.1.3", "pages.service says 9.9.9, expected 0.1.3"),
    ] {
        let failed = pages.run(&format!("update /root/{version} {version}"));
        assert!(!failed.success(), "{}", failed.text());
        assert!(failed.stderr.contains(cause), "{}", failed.text());
        assert_eq!(pages.version(), "0.1.0");
        assert_eq!(pages.tree(), before, "{version}");
        pages.wait_for_answers();
    }
    assert_eq!(pages.workers(), workers);

    pages.shell("touch /root/stop");
    client.wait_for_ends(1, 30).unwrap();
    let answers = pages.answers();
    let failed: Vec<&String> = answers
        .iter()
        .filter(|line| line.contains("failed"))
        .collect();
    assert!(failed.is_empty(), "of {}: {failed:?}", answers.len());
    for worker in ["1 ", "2 "] {
        let counts = counts(&answers, worker);
        // each request was answered, and by the one process that had counted all before it
        let all: Vec<u64> = (1..=counts.len() as u64).collect();
        assert_eq!(counts, all);
    }
    println!("{} requests while the server was replaced", answers.len());
}

#[test]
fn a_web_server_says_in_its_own_words_what_is_missing_and_leaves_nothing_behind() {
    let pages = Pages::new();
    let before = pages.tree();
    pages.shell("mv /usr/sbin/lighttpd /root/lighttpd");
    let lacking = pages.run("install /root/0.1.0 0.1.0");
    assert!(
        lacking
            .stderr
            .contains("this machine has no lighttpd (/usr/sbin/lighttpd)"),
        "{}",
        lacking.text()
    );
    assert!(lacking.stderr.contains("hint: sudo apt install lighttpd"));
    assert_eq!(pages.tree(), before);
    pages.shell("mv /root/lighttpd /usr/sbin/lighttpd");
    let early = pages.run("update /root/0.1.0 0.1.0");
    assert!(
        early
            .stderr
            .contains("hint: sudo httpd install DIR VERSION"),
        "{}",
        early.text()
    );

    pages.run("install /root/0.1.0 0.1.0").ok().unwrap();
    let refused = pages.run("uninstall");
    assert!(
        refused
            .stderr
            .contains("still running: worker 1 and worker 2"),
        "{}",
        refused.text()
    );
    pages.workers();
    pages.shell("kill $(cat /run/pages/worker-1 /run/pages/worker-2)");
    pages.run("uninstall").ok().unwrap();
    assert_eq!(pages.tree(), before);
    pages.shell("test ! -e /run/pages -a ! -e /var/lib/pages-install -a ! -e /etc/pages");
    for unit in ["pages.service", "pages.socket"] {
        let state = pages.host.property(unit, "LoadState").unwrap();
        assert_eq!(state.trim(), "not-found", "{unit}");
    }
}
