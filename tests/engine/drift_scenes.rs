//! What can be done to an installed host, and what must be found then.

/// A change, what must be found, and the way back.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    /// A line of shell.
    pub(crate) change: String,
    /// Kinds of findings: `!` where a stop would kill children, `?` where one would after a Reload.
    pub(crate) expected: &'static str,
    /// What rolls back what an install keeps.
    pub(crate) undo: String,
    /// Our restart refuses instead of mending.
    pub(crate) refused: bool,
}

const UNIT: &str = "/etc/systemd/system/toyd.service";
const SLICE: &str = "/etc/systemd/system/toy.slice";
const LIB: &str = "/usr/local/lib/toy";
const RELOAD: &str = "systemctl daemon-reload";
const RELEASE: &str = "/usr/local/lib/toy/0.1.0";

fn scene(name: &'static str, change: impl Into<String>, expected: &'static str) -> Scene {
    Scene {
        name,
        change: change.into(),
        expected,
        undo: String::new(),
        refused: false,
    }
}

impl Scene {
    fn undone_by(mut self, undo: impl Into<String>) -> Self {
        self.undo = undo.into();
        self
    }

    const fn refused(mut self) -> Self {
        self.refused = true;
        self
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Scene> {
    let mut scenes = edits();
    scenes.extend(competing_files());
    scenes.extend(drop_ins());
    scenes.extend(drop_ins_by_folder());
    scenes.extend(state());
    scenes.extend(published());
    scenes
}

/// The unit's own file.
pub(crate) fn edits() -> Vec<Scene> {
    let kill_mode = |mode: &str| format!("sed -i s/^KillMode=.*/KillMode={mode}/ {UNIT}");
    let loaded = |change: &str| format!("{change}; {RELOAD}");
    let old = |change: &str| format!("{change}; touch -d 2001-01-01 {UNIT}");
    let gone = format!("sed -i /^KillMode=/d {UNIT}");
    let path = format!("sed -i s,^ExecStart=.*,ExecStart={LIB}/0.0.9/bin/toyd, {UNIT}");
    vec![
        scene("missing", format!("rm {UNIT}"), "missing? not-loaded?"),
        scene("missing, loaded", format!("rm {UNIT}; {RELOAD}"), "gone-while-loaded! kill-mode!"),
        scene("no KillMode", gone.clone(), "edited? not-loaded?"),
        scene("no KillMode, loaded", loaded(&gone), "edited! kill-mode!"),
        scene("no KillMode, old date", old(&gone), "edited? not-loaded?"),
        scene("mixed", kill_mode("mixed"), "edited? not-loaded?"),
        scene("mixed, loaded", loaded(&kill_mode("mixed")), "edited! kill-mode!"),
        scene("mixed, old date", old(&kill_mode("mixed")), "edited? not-loaded?"),
        scene("control-group", kill_mode("control-group"), "edited? not-loaded?"),
        scene("control-group, loaded", loaded(&kill_mode("control-group")), "edited! kill-mode!"),
        scene("none, loaded", loaded(&kill_mode("none")), "edited kill-mode"),
        scene("a mode that is none", loaded(&kill_mode("bogus")), "edited! kill-mode!"),
        scene("KillMode in another section",
            loaded(&format!("{gone}; printf 'KillMode=process\\n' >> {UNIT}")), "edited! kill-mode!"),
        scene("an old ExecStart", path.clone(), "edited not-loaded"),
        scene("an old ExecStart, loaded", loaded(&path), "edited command"),
        scene("a comment", loaded(&format!("echo '# note' >> {UNIT}")), "edited"),
        scene("a comment, old date", old(&format!("echo '# note' >> {UNIT}")), "edited not-loaded"),
        scene("the right text again, old date, the wrong one in force",
            format!("cp -p {UNIT} /root/right; {}; cp /root/right {UNIT}; touch -d 2001-01-01 {UNIT}",
                loaded(&kill_mode("mixed"))),
            "not-loaded! kill-mode!"),
        scene("no unit file at all", format!("printf '\\0garbage' > {UNIT}; {RELOAD}"), "edited! kill-mode!"),
        scene("the slice is edited", format!("echo '# note' >> {SLICE}; {RELOAD}"), "edited"),
        scene("the slice is missing", format!("rm {SLICE}"), "missing not-loaded"),
        scene("the slice is missing, loaded", format!("rm {SLICE}; {RELOAD}"), "gone-while-loaded"),
        scene("of a user", format!("chown 1000:1000 {UNIT}"), "permissions"),
        scene("of a group", format!("chgrp 1000 {UNIT}"), "permissions"),
        scene("0666", format!("chmod 0666 {UNIT}"), "permissions"),
        scene("0600", format!("chmod 0600 {UNIT}"), "permissions"),
        scene("0755", format!("chmod 0755 {UNIT}"), "permissions"),
        scene("a link to elsewhere",
            format!("mv {UNIT} /opt/toyd.service; ln -s /opt/toyd.service {UNIT}; {RELOAD}"), "linked")
            .undone_by("rm /opt/toyd.service"),
        scene("a link to elsewhere without KillMode",
            format!("sed /^KillMode=/d {UNIT} > /opt/toyd.service; ln -sf /opt/toyd.service {UNIT}; {RELOAD}"),
            "linked! kill-mode!")
            .undone_by("rm /opt/toyd.service"),
    ]
}

/// Other files of the unit's name.
pub(crate) fn competing_files() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for (folder, loaded, unloaded) in [
        (
            "/etc/systemd/system.control",
            "shadowed (etc), loaded",
            "shadowed (etc)",
        ),
        (
            "/run/systemd/system.control",
            "shadowed (run), loaded",
            "shadowed (run)",
        ),
        (
            "/run/systemd/transient",
            "shadowed (transient), loaded",
            "shadowed (transient)",
        ),
    ] {
        let file = format!("{folder}/toyd.service");
        let copy = format!(
            "mkdir -p {folder}; sed /^KillMode=/d {UNIT} > {file}; touch -d 2001-01-01 {file}"
        );
        let undo =
            format!("rm -f {file} {file}.set-aside-by-toy; rmdir {folder} 2>/dev/null || true");
        scenes.push(scene(unloaded, copy.clone(), "shadowed? not-loaded?").undone_by(undo.clone()));
        scenes.push(
            scene(loaded, format!("{copy}; {RELOAD}"), "shadowed! kill-mode!").undone_by(undo),
        );
    }
    for (name, folder) in [
        ("another in /usr/lib", "/usr/lib/systemd/system"),
        ("another in /usr/local/lib", "/usr/local/lib/systemd/system"),
        ("another in /run", "/run/systemd/system"),
    ] {
        let file = format!("{folder}/toyd.service");
        scenes.push(
            scene(
                name,
                format!("mkdir -p {folder}; sed /^KillMode=/d {UNIT} > {file}; {RELOAD}"),
                "overruled",
            )
            .undone_by(format!("rm {file}")),
        );
        if folder.starts_with("/usr/lib") {
            scenes.push(
                scene(
                    "another in its place",
                    format!("mv {UNIT} {file}; {RELOAD}"),
                    "missing",
                )
                .undone_by(format!("rm {file}")),
            );
        }
    }
    scenes.push(
        scene(
            "masked at runtime, to no effect",
            "systemctl --quiet mask --runtime toyd.service",
            "overruled",
        )
        .undone_by("rm /run/systemd/system/toyd.service"),
    );
    scenes.push(
        scene(
            "masked",
            format!("ln -sf /dev/null {UNIT}"),
            "masked? not-loaded?",
        )
        .undone_by(format!("rm {UNIT}"))
        .refused(),
    );
    scenes.push(
        scene(
            "masked, loaded",
            format!("ln -sf /dev/null {UNIT}; {RELOAD}"),
            "masked! kill-mode!",
        )
        .undone_by(format!("rm {UNIT}"))
        .refused(),
    );
    scenes.push(
        scene(
            "empty, loaded",
            format!(": > {UNIT}; {RELOAD}"),
            "masked! kill-mode!",
        )
        .undone_by(format!("rm {UNIT}"))
        .refused(),
    );
    scenes
}

/// What a drop-in can hold.
pub(crate) fn drop_ins() -> Vec<Scene> {
    const FOLDER: &str = "/etc/systemd/system/toyd.service.d";
    let file = format!("{FOLDER}/a.conf");
    let write = |text: &str| format!("mkdir -p {FOLDER}; printf '{text}' > {file}");
    let loaded = |text: &str| format!("{}; {RELOAD}", write(text));
    let old = |text: &str| format!("{}; touch -d 2001-01-01 {FOLDER} {file}", write(text));
    let undo = format!("rm -rf {FOLDER}");
    let with =
        |name, change: String, expected| scene(name, change, expected).undone_by(undo.clone());
    let memory = "[Service]\\nMemoryMax=8G\\n";
    let mixed = "[Service]\\nKillMode=mixed\\n";
    vec![
        with("harmless", loaded(memory), "drop-in"),
        with("harmless, not loaded", write(memory), "drop-in not-loaded"),
        with(
            "harmless, not loaded, old date",
            old(memory),
            "drop-in not-loaded",
        ),
        with(
            "harmless, changed behind an old date",
            format!("{}; {}", loaded("[Service]\\nMemoryMax=9G\\n"), old(memory)),
            "drop-in not-loaded",
        ),
        with(
            "mixed, new folder, old date",
            old(mixed),
            "drop-in? not-loaded?",
        ),
        with(
            "mixed behind an old date",
            format!("{}; {}", loaded(memory), old(mixed)),
            "drop-in? not-loaded?",
        ),
        with(
            "loaded, and gone",
            format!("{}; rm {file}", loaded(memory)),
            "drop-in not-loaded",
        ),
        with(
            "mixed, loaded, and gone",
            format!("{}; rm {file}", loaded(mixed)),
            "kill-mode! not-loaded!",
        ),
        with("reset", loaded("[Service]\\nKillMode=\\n"), "kill-mode!"),
        with("none", loaded("[Service]\\nKillMode=none\\n"), "kill-mode"),
        with(
            "a mode that is none, by a drop-in",
            loaded("[Service]\\nKillMode=bogus\\n"),
            "drop-in",
        ),
        with(
            "process",
            loaded("[Service]\\nKillMode=process\\n"),
            "drop-in",
        ),
        with(
            "another command",
            loaded("[Service]\\nExecStart=\\nExecStart=/bin/false\\n"),
            "command drop-in",
        ),
        with("empty", loaded(""), ""),
        with(
            "to null",
            format!("mkdir -p {FOLDER}; ln -s /dev/null {file}; {RELOAD}"),
            "",
        ),
        with("unreadable", loaded("\\377\\376\\n"), "drop-in"),
        with(
            "unreadable, and mixed",
            loaded("[Service]\\nKillMode=mixed\\n\\377\\n"),
            "kill-mode!",
        ),
        with(
            "no drop-in by its name",
            format!("mkdir -p {FOLDER}; printf '{mixed}' > {FOLDER}/a.txt; {RELOAD}"),
            "",
        ),
        with(
            "hidden",
            format!("mkdir -p {FOLDER}; printf '{mixed}' > {FOLDER}/.a.conf; {RELOAD}"),
            "",
        ),
        with(
            "behind our own",
            format!("mkdir -p {FOLDER}; printf '{mixed}' > {FOLDER}/zzzz.conf; {RELOAD}"),
            "kill-mode!",
        )
        .refused(),
        with(
            "overruled by ours",
            format!(
                "{}; printf '[Service]\\nKillMode=process\\n' > {FOLDER}/zzz-toy-keep-guests.conf; {RELOAD}",
                write(mixed)
            ),
            "drop-in kept-by-drop-in",
        ),
    ]
}

/// The folders that a drop-in can lie in.
pub(crate) fn drop_ins_by_folder() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for (names, folder) in [
        (
            ["KillMode in etc", "MemoryMax in etc"],
            "/etc/systemd/system/toyd.service.d",
        ),
        (
            ["KillMode in run", "MemoryMax in run"],
            "/run/systemd/system/toyd.service.d",
        ),
        (
            ["KillMode in usr/local/lib", "MemoryMax in usr/local/lib"],
            "/usr/local/lib/systemd/system/toyd.service.d",
        ),
        (
            ["KillMode in usr/lib", "MemoryMax in usr/lib"],
            "/usr/lib/systemd/system/toyd.service.d",
        ),
        (
            ["KillMode in etc control", "MemoryMax in etc control"],
            "/etc/systemd/system.control/toyd.service.d",
        ),
        (
            ["KillMode in run control", "MemoryMax in run control"],
            "/run/systemd/system.control/toyd.service.d",
        ),
        (
            ["KillMode in transient", "MemoryMax in transient"],
            "/run/systemd/transient/toyd.service.d",
        ),
        (
            ["KillMode for all services", "MemoryMax for all services"],
            "/etc/systemd/system/service.d",
        ),
    ] {
        let [kill_mode, memory] = names;
        let write = |text: &str| {
            format!("mkdir -p {folder}; printf '[Service]\\n{text}\\n' > {folder}/a.conf")
        };
        let undo = format!("rm -rf {folder}");
        scenes.push(
            scene(
                kill_mode,
                format!("{}; {RELOAD}", write("KillMode=mixed")),
                // one for all services reaches the rescue unit, too, and does it no harm
                if folder.ends_with("/service.d") {
                    "drop-in kill-mode!"
                } else {
                    "kill-mode!"
                },
            )
            .undone_by(undo.clone()),
        );
        scenes.push(scene(memory, write("MemoryMax=8G"), "drop-in not-loaded").undone_by(undo));
    }
    scenes
}

/// What systemd is told besides files.
pub(crate) fn state() -> Vec<Scene> {
    let wants = "/etc/systemd/system/multi-user.target.wants/toyd.service";
    vec![
        scene("disabled", "systemctl --quiet disable toyd.service", "not-enabled"),
        scene("its link is gone", format!("rm {wants}"), "not-enabled"),
        scene("enabled till the next boot",
            "systemctl --quiet disable toyd.service; systemctl --quiet enable --runtime toyd.service", "not-enabled")
            .undone_by("systemctl --quiet disable --runtime toyd.service"),
        scene("stopped", "systemctl stop toyd.service", "not-running"),
        scene("a limit set by systemctl", "systemctl set-property toyd.service MemoryMax=8G", "drop-in")
            .undone_by("rm -r /etc/systemd/system.control"),
    ]
}

/// What lies where programs are called.
pub(crate) fn published() -> Vec<Scene> {
    let program = format!("{RELEASE}/bin/toyd");
    let link = "/usr/local/bin/toyd";
    vec![
        scene(
            "a program is swapped",
            format!("cp /bin/true {program}"),
            "swapped",
        ),
        scene(
            "a program is changed, its date and size kept",
            format!(
                "cp -p {program} /root/kept; sed -i s/infinity/infinitY/ {program}; touch -r /root/kept {program}"
            ),
            "swapped",
        ),
        scene("a program is gone", format!("rm {program}"), "file-missing"),
        scene(
            "a program cannot be run",
            format!("chmod -x {program}"),
            "program-permissions",
        ),
        scene(
            "a program is anybody's to write",
            format!("chmod 0777 {program}"),
            "program-permissions",
        ),
        scene(
            "a program is a user's",
            format!("chown 1000 {program}"),
            "program-permissions",
        ),
        scene(
            "a template is changed",
            format!("echo '# note' >> {RELEASE}/units/toy.slice.in"),
            "edited swapped",
        ),
        scene(
            "the version is gone",
            format!("rm -r {RELEASE}"),
            "version-missing",
        ),
        scene(
            "current dangles",
            format!("ln -sfn 9.9.9 {LIB}/current"),
            "current",
        ),
        scene("current is gone", format!("rm {LIB}/current"), "current"),
        scene(
            "current by an absolute way",
            format!("ln -sfn {RELEASE} {LIB}/current"),
            "current",
        ),
        scene(
            "the program's link names another",
            format!("ln -sf /bin/true {link}"),
            "program-link",
        ),
        scene(
            "the program's link is gone",
            format!("rm {link}"),
            "program-link",
        ),
        scene(
            "a program in place of its link",
            format!("rm {link}; cp {program} {link}"),
            "program-link",
        ),
    ]
}
