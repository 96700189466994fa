use std::os::unix::fs::PermissionsExt;

use super::*;

struct Scene {
    folder: tempfile::TempDir,
    lock: Lock,
    interrupt: AtomicBool,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(&folder.path().join("lock")).unwrap();
        Self {
            folder,
            lock,
            interrupt: AtomicBool::new(false),
        }
    }

    /// Calls a script, whose variables name the descriptors.
    fn call(
        &self,
        text: &str,
        accept: &mut dyn FnMut(&[u8]) -> Result<(), BoxError>,
    ) -> Result<ExitStatus, HandoverError> {
        let program = self.folder.path().join("program");
        let text = format!(
            "#!/bin/sh\nIFS=, read -r request go answers lock <<END\n$2\nEND\ncd {}\n{text}",
            self.folder.path().display()
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        hand_over(
            &Call {
                program: &program,
                words: &[],
                lock: &self.lock,
                request: b"the request",
                patience: Duration::from_millis(700),
                interrupt: &self.interrupt,
            },
            accept,
        )
    }

    fn left(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join(name)).ok()
    }
}

const OBEDIENT: &str = "cat /proc/self/fd/$request >asked
    echo planned >/proc/self/fd/$answers
    read -r go </proc/self/fd/$go && echo changed >done
    flock --nonblock lock true && echo free >free
    exit 7";

#[test]
fn a_program_that_says_what_it_would_do_is_let_go_on_under_the_same_lock() {
    let scene = Scene::new();
    let mut said = Vec::new();
    let status = scene
        .call(OBEDIENT, &mut |plan| {
            said = plan.to_vec();
            Ok(())
        })
        .unwrap();
    assert_eq!(status.code(), Some(7));
    assert_eq!(said, b"planned\n");
    assert_eq!(scene.left("asked").as_deref(), Some("the request"));
    assert_eq!(scene.left("done").as_deref(), Some("changed\n"));
    assert_eq!(scene.left("free"), None, "the lock was free");
}

#[test]
fn a_plan_that_is_refused_changes_nothing() {
    let scene = Scene::new();
    let refused = scene.call(OBEDIENT, &mut |_| Err("another version".into()));
    assert!(matches!(refused, Err(HandoverError::Refused { .. })));
    assert_eq!(scene.left("done"), None);
}

#[test]
fn one_that_crashes_hangs_or_babbles_changes_nothing() {
    for (script, why) in [
        ("kill -SEGV $$", "SIGSEGV"),
        ("exit 0", "exit status: 0"),
        ("exec sleep 1000", "said nothing"),
        (
            "printf half >/proc/self/fd/$answers; exec sleep 1000",
            "said nothing",
        ),
        (
            "head -c 100000 /dev/zero >/proc/self/fd/$answers; exec sleep 1000",
            "more than 65536 bytes",
        ),
    ] {
        let scene = Scene::new();
        let ended = scene.call(script, &mut |_| panic!("accepted"));
        let error = ended.expect_err(script).to_string();
        assert!(error.contains(why), "{script}: {error}");
    }
}

#[test]
fn one_that_fails_by_itself_has_said_why() {
    let scene = Scene::new();
    let status = scene.call("exit 12", &mut |_| panic!("accepted")).unwrap();
    assert_eq!(status.code(), Some(12));
}

#[test]
fn a_signal_is_passed_on() {
    let scene = Scene::new();
    let script = "trap 'exit 130' TERM
        echo planned >/proc/self/fd/$answers
        read -r go </proc/self/fd/$go
        while :; do sleep 0.01; done";
    let status = scene
        .call(script, &mut |_| {
            scene.interrupt.store(true, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
    assert_eq!(status.code(), Some(130));
}

#[test]
fn nobody_takes_over_without_a_caller_that_holds_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    std::fs::write(&lock, "").unwrap();
    let open = File::open(&lock).unwrap();
    let number = open.as_raw_fd();
    for numbers in [
        "",
        "1,2,3",
        "0,0,0,x",
        &format!("{number},{number},{number},{number}"),
    ] {
        let taken = Called::take_over(numbers, &lock);
        assert!(
            matches!(taken, Err(HandoverError::NotCalled(_))),
            "{numbers}"
        );
    }
}
