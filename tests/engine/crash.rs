//! The toolkit is killed in the middle, by SIGKILL at a system call, on a real systemd.

use crate::toy::Toy;

#[test]
fn an_update_killed_at_a_rename_is_wholly_old_or_wholly_new_after_the_next_run() {
    let toy = Toy::installed();
    let child = toy.child();
    let old = toy.tree();
    let (mut points, mut died) = (0, 0);
    loop {
        points += 1;
        let killed = toy.run_killed_at(points);
        assert_eq!(toy.child(), child, "at rename {points}");
        if killed.success() {
            break;
        }
        died += 1;
        // any run takes it back first; this one has nothing else to do
        let next = toy.run("install /root/0.1.0 0.1.0");
        next.ok().unwrap();
        assert_eq!(toy.current(), "0.1.0", "at rename {points}");
        assert_eq!(toy.answer(), "0.1.0", "at rename {points}");
        assert_eq!(toy.child(), child, "at rename {points}");
        // what a committed run had learnt may stay; programs and units are the old ones
        let programs = |tree: &str| -> Vec<String> {
            let lines = tree.lines().filter(|line| !line.contains("install.json"));
            let lines = lines.filter(|line| !line.contains("/lib/toy/0.1.1"));
            // a run that dies before its first journal leaves the half of one, which the next takes
            let lines = lines.filter(|line| !line.contains(".journal.json.banger-new"));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(programs(&toy.tree()), programs(&old), "at rename {points}");
        assert!(points < 200, "it never ends");
    }
    println!("{died} points of death");
    assert!(died > 10, "only {died} renames were met");
    assert_eq!(toy.answer(), "0.1.1");
}

impl Toy {
    /// An update under strace, which kills it at its n-th rename.
    fn run_killed_at(&self, rename: usize) -> banger_tests::support::command::Output {
        let line = format!(
            "rm -rf /root/fetched; cp -r /root/0.1.1 /root/fetched; \
             strace -f -o /dev/null -e trace=rename,renameat,renameat2 \
             -e inject=rename,renameat,renameat2:signal=KILL:when={rename} \
             /usr/local/sbin/toy update /root/fetched 0.1.1"
        );
        self.host.shell(&line).unwrap()
    }
}
