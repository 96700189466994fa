//! The toolkit is killed in the middle, by SIGKILL at a system call, on a real systemd.

use crate::toy::Toy;

#[test]
fn an_update_killed_at_a_rename_is_wholly_old_or_wholly_new_after_the_next_run() {
    let toy = Toy::installed();
    let child = toy.child();
    let (mut points, mut old, mut new) = (0, 0, 0);
    loop {
        points += 1;
        let before = toy.tree();
        let killed = toy.run_killed_at(points);
        assert_eq!(toy.child(), child, "at rename {points}");
        if killed.success() {
            break;
        }
        // any run takes it back, or finishes it, first; this one changes no file of its own
        toy.run("restart").ok().unwrap();
        let current = toy.current();
        assert_eq!(toy.answer(), current, "at rename {points}");
        assert_eq!(toy.child(), child, "at rename {points}");
        if current == "0.1.0" {
            old += 1;
            assert_eq!(toy.tree(), before, "at rename {points}");
        } else {
            new += 1;
            assert_eq!(current, "0.1.1", "at rename {points}");
            let tree = toy.tree();
            for left in [".staging", "journal", ".banger-new"] {
                assert!(!tree.contains(left), "at rename {points}: {left} in {tree}");
            }
            let back = toy.run("install /root/0.1.0 0.1.0");
            back.ok().unwrap();
        }
        assert!(points < 200, "it never ends");
    }
    println!("{points} renames: {old} deaths ended wholly old, {new} wholly new");
    assert!(old > 10, "only {old} deaths before the commit");
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
