//! A guest does what it can from within: it floods its console, writes what would take a terminal
//! over, switches itself off at any moment, and resets its machine.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use banger_tests::support::{command, guest};

use crate::boundary::{HELPER, Scene};

/// Puts a misbehaving ticker into the host; gives its path there.
fn kernel(scene: &Scene, symbol: &str) -> String {
    let path = format!(
        "/home/alice/{}.elf",
        symbol.to_lowercase().replace('=', "-")
    );
    let program = guest::ticker_with(symbol).unwrap();
    scene.host().copy(&program, &path).unwrap();
    path
}

fn run(scene: &Scene, name: &str, kernel: &str) {
    let words = ["vm", "run", name, "--kernel", kernel];
    scene.stage.banger_as_owner(&words).unwrap().ok().unwrap();
}

fn wait_for_end(scene: &Scene, name: &str) -> String {
    command::wait_for(&format!("the end of {name}"), 30, || {
        let vm = scene.stage.vm(name).map_err(|error| error.to_string())?;
        if vm.pid.is_none() {
            Ok(vm.state)
        } else {
            Err(vm.state)
        }
    })
    .unwrap()
}

fn publish_update(scene: &Scene) {
    let second = scene.stage.releases.sound("0.1.1").unwrap();
    scene.stage.releases.publish(&second).unwrap();
}

fn update(scene: &Scene) {
    let update = scene.stage.banger(&["update", "--yes"]).unwrap();
    assert!(update.success(), "{}", update.text());
    let version = scene.stage.banger(&["--version"]).unwrap().ok().unwrap();
    assert_eq!(version, "banger 0.1.1");
}

#[test]
fn a_console_flood_fills_no_disk_and_no_memory_and_hinders_no_update() {
    /// What the logs of one VM may take, with some room: two of 16 MiB and what comes meanwhile.
    const LOGS: u64 = 64 * 1024 * 1024;
    let scene = Scene::new();
    run(&scene, "flood", &kernel(&scene, "FLOOD=1"));
    let id = scene.stage.vm("flood").unwrap().id;
    publish_update(&scene);
    update(&scene);
    let line = format!("du --summarize --block-size=1 /var/lib/banger-root/vms/{id} | cut -f1");
    for _ in 0..20 {
        let size = scene.host().shell(&line).unwrap().ok().unwrap();
        assert!(size.parse::<u64>().unwrap() < LOGS, "{size} bytes of logs");
        scene.stage.vms().unwrap();
    }
    let peak = scene.helper_peak_kib();
    assert!(peak < 64 * 1024, "{peak} KiB");
    scene.check();
    scene.end("flood");
    scene.check();
}

#[test]
fn what_a_guest_writes_does_not_reach_a_terminal_by_a_list_or_a_status() {
    let scene = Scene::new();
    run(&scene, "rude", &kernel(&scene, "ESCAPES=1"));
    let log = scene.stage.find_guest("rude").unwrap().console;
    assert!(
        fs_err::read(&log).unwrap().contains(&0x1b),
        "it is not rude"
    );
    // its last line becomes the reason of its end
    let pid = scene.stage.vm("rude").unwrap().pid.unwrap();
    scene
        .host()
        .shell(&format!("kill -KILL {pid}"))
        .unwrap()
        .ok()
        .unwrap();
    assert_eq!(wait_for_end(&scene, "rude"), "failed");
    let list = scene.stage.banger_as_owner(&["vm", "list"]).unwrap();
    let json = scene
        .stage
        .banger_as_owner(&["vm", "list", "--json"])
        .unwrap();
    let status = scene.stage.banger(&["system", "status"]).unwrap();
    let journal = scene.host().journal(Some(HELPER)).unwrap();
    let shown = [list.text(), status.text()];
    for text in shown.iter().chain([&json.text(), &journal]) {
        let control = |letter: &char| letter.is_control() && !"\n\t".contains(*letter);
        assert_eq!(text.chars().find(control), None, "{text:?}");
    }
    // what turns the direction of a line around is no control character of a terminal's
    for text in shown {
        assert!(!text.contains('\u{202e}'), "{text:?}");
    }
    scene.end("rude");
    scene.check();
}

#[test]
fn a_guest_that_resets_its_machine_ends_and_takes_nobody_along() {
    let scene = Scene::new();
    for symbol in ["LAST_TICK=20", "FAULT_AFTER=20"] {
        let kernel = kernel(&scene, symbol);
        for restart in [false, true] {
            run(&scene, "short", &kernel);
            if restart {
                scene.restart_helper();
            }
            let state = wait_for_end(&scene, "short");
            // by itself, and seen as that where the kernel or Firecracker tells it
            if symbol.starts_with("LAST") {
                assert_eq!(state, "stopped", "{symbol}, restart: {restart}");
            }
            scene.end("short");
            scene.check();
        }
    }
}

#[test]
fn guests_that_come_and_go_during_an_update_do_not_roll_it_back() {
    let scene = Scene::new();
    // about half a second each, so that some end at any moment of an update
    let kernel = kernel(&scene, "LAST_TICK=10");
    publish_update(&scene);
    let over = AtomicBool::new(false);
    let ends = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for number in 0..2 {
            let (scene, kernel, over, ends) = (&scene, &kernel, &over, &ends);
            threads.spawn(move || {
                let name = format!("short-{number}");
                while !over.load(Ordering::SeqCst) {
                    run(scene, &name, kernel);
                    wait_for_end(scene, &name);
                    let words = ["vm", "delete", &name];
                    scene.stage.banger_as_owner(&words).unwrap().ok().unwrap();
                    ends.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        // whatever happens, the others are told to end
        let updated = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            update(&scene);
            for _ in 0..3 {
                let restart = scene.stage.banger(&["system", "restart"]).unwrap();
                assert!(restart.success(), "{}", restart.text());
            }
        }));
        over.store(true, Ordering::SeqCst);
        if let Err(panic) = updated {
            std::panic::resume_unwind(panic);
        }
    });
    let ended = ends.load(Ordering::SeqCst);
    assert!(ended >= 4, "only {ended} guests ended meanwhile");
    let status = scene.stage.banger(&["system", "status", "--json"]).unwrap();
    let status: serde_json::Value = serde_json::from_str(&status.ok().unwrap()).unwrap();
    assert!(status["receipt"]["rolled_back"].is_null(), "{status}");
    scene.check();
    println!("{ended} guests ended during an update and three restarts");
}
