//! Real processes.

use super::*;

#[test]
fn a_name_full_of_parentheses_shifts_no_field() {
    let line = b"77 (a) R (b 1 2) S 1 77 77 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 1 0 98765 1 2";
    let stat = parse_stat(line).unwrap();
    assert_eq!(stat.comm, "a) R (b 1 2");
    assert_eq!(stat.start_time, 98765);
    for text in ["", "77", "77 (a", "77 a) S 1", "77 (a) S 1 2 3"] {
        assert!(parse_stat(text.as_bytes()).is_none(), "{text:?} was read");
    }
}

#[test]
fn this_process_is_seen_as_it_is_and_the_same_twice() {
    let seen = HostProcesses.see(std::process::id()).unwrap().unwrap();
    assert_eq!(seen.uid, rustix::process::getuid().as_raw());
    assert!(!seen.exited && seen.start_time > 0);
    assert_eq!(HostProcesses.uid(seen.pid).unwrap(), Some(seen.uid));
    assert_eq!(HostProcesses.blindness(), None);
    assert_eq!(HostProcesses.see(seen.pid).unwrap(), Some(seen));
}

#[test]
fn a_process_whose_name_is_no_text_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join(OsString::from_vec(b"\xff\xfe".to_vec()));
    std::fs::copy("/bin/cat", &program).unwrap();
    let mut child = std::process::Command::new(&program)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let seen = HostProcesses.see(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = seen.unwrap().unwrap();
    assert_eq!(seen.pid, child.id());
    assert!(!seen.exited && seen.start_time > 0, "{seen:?}");
}

#[test]
fn a_pinned_process_that_ended_is_not_seen_again_and_not_signalled() {
    let mut child = std::process::Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pinned = Pinned::pin(child.id()).unwrap().unwrap();
    pinned.signal(Signal::KILL).unwrap();
    child.wait().unwrap();
    assert!(!has_number(pinned.as_fd(), child.id()).unwrap());
    assert!(pinned.look_again().unwrap().is_none());
    pinned.signal(Signal::KILL).unwrap();
}

/// A program that is compiled for a test.
fn compiled(folder: &Path, source: &str) -> PathBuf {
    let (text, program) = (folder.join("program.c"), folder.join("program"));
    std::fs::write(&text, source).unwrap();
    let cc = std::process::Command::new("cc")
        .args(["-pthread", "-o"])
        .args([&program, &text])
        .status();
    assert!(cc.unwrap().success());
    program
}

#[test]
fn a_process_whose_main_thread_has_exited_lives() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled(
        folder.path(),
        "#include <pthread.h>\n#include <unistd.h>\n\
         static void *rest(void *none) { char c; while (read(0, &c, 1) > 0); _exit(0); }\n\
         int main(void) { pthread_t t; pthread_create(&t, 0, rest, 0); pthread_exit(0); }\n",
    );
    let mut child = std::process::Command::new(&program)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    // what is waited for is what the kernel says of its main thread
    while !String::from_utf8_lossy(&std::fs::read(file_of(pid, "stat")).unwrap())
        .contains("(program) Z")
    {
        std::thread::yield_now();
    }
    let pinned = Pinned::pin(pid).unwrap().unwrap();
    assert!(!pinned.seen.exited && !pinned.has_exited().unwrap());
    assert_eq!(pinned.look_again().unwrap(), Some(pinned.seen.clone()));
    let seen = HostProcesses.see(pid).unwrap().unwrap();
    assert!(!seen.exited && seen.is_same_process(&pinned.seen));

    drop(child.stdin.take());
    child.wait().unwrap();
    assert!(pinned.look_again().unwrap().is_none());
    assert!(HostProcesses.see(pid).unwrap().is_none());
}

#[test]
fn a_process_that_was_not_reaped_has_exited_all_the_same() {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    let pinned = Pinned::pin(child.id()).unwrap().unwrap();
    while !pinned.has_exited().unwrap() {
        std::thread::yield_now();
    }
    assert!(pinned.look_again().unwrap().is_none());
    assert!(HostProcesses.see(child.id()).unwrap().unwrap().exited);
    child.wait().unwrap();
}

#[test]
fn of_endless_arguments_a_bounded_part_is_read() {
    let word = "x".repeat(100_000);
    let mut child = std::process::Command::new("cat")
        .arg("-")
        .args(vec![word.as_str(); 12])
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // until the exec it has this program's arguments, and for a moment of it none at all
    let seen = loop {
        let seen = HostProcesses.see(child.id()).unwrap().unwrap();
        if seen.comm == "cat" && !seen.command_line.is_empty() {
            break seen;
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let read: usize = seen.command_line.iter().map(|word| word.len() + 1).sum();
    assert!(read <= 64 * 1024 + 1 && read > 60_000, "{read} bytes");
}

#[test]
fn the_tree_of_systemd_begins_where_its_first_scope_lies() {
    for (group, root) in [
        ("/init.scope", ""),
        ("/lxc/box/init.scope", "/lxc/box"),
        ("/", ""),
        ("", ""),
        ("/docker/abc", ""),
    ] {
        assert_eq!(root_of_tree(group), root, "{group}");
    }
    assert_eq!(unified_group("1:name=systemd:/x\n0::/a:b\n"), "/a:b");
}

#[test]
fn numbers_that_no_process_can_have_are_no_processes() {
    for pid in [0, u32::MAX, i32::MAX.unsigned_abs()] {
        assert!(HostProcesses.see(pid).unwrap().is_none(), "{pid}");
        assert!(HostProcesses.uid(pid).unwrap().is_none(), "{pid}");
    }
}
