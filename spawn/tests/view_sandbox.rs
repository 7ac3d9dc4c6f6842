//! A view and a sandbox together: what each allows alone is not enough.

mod support;

use std::fs;

use offspring_spawn::{
    Access, Directory, Namespace, Part, PreparedView, Sandbox, SandboxError, View, ViewAccess,
};
use rustix::process::{DumpableBehavior, geteuid, set_dumpable_behavior};
use support::isolation::{isolated, skip};
use support::place::directory;
use support::sandbox::become_ordinary;
use support::text;
use support::view::{Show, can_make, needed, place, seeing, usual};

#[test]
fn rules_by_descriptor_hold_in_a_view() {
    let name = "rules_by_descriptor_hold_in_a_view";
    if !can_make(name) {
        return;
    }
    let place = place(&["read", "write", "other"]);
    for file in ["read/file", "write/file", "other/file"] {
        place.file(file, 0o666, "text\n");
    }
    // Everything may be written by the mounts, and nothing of `other` by the rules.
    let mut view: View = usual();
    view.show(&place, "read", "/read", ViewAccess::Write)
        .show(&place, "write", "/write", ViewAccess::Write)
        .show(&place, "other", "/other", ViewAccess::Write);
    let sh = support::program("sh");
    let sandbox = support::sandbox::sandbox(&sh)
        .file(directory(&place.path("read")), Access::Read)
        .file(directory(&place.path("write")), Access::Write);
    let sandbox = ["cat", "id", "readlink"]
        .iter()
        .fold(sandbox, |sandbox, tool| sandbox.program(&support::program(tool)));
    let sandbox = match sandbox.build() {
        Err(SandboxError::Missing(missing)) => return skip(name, missing),
        sandbox => sandbox.unwrap(),
    };
    let script = "for at in read write other; do
            cat $at/file 2>/dev/null; (echo more >> $at/file) 2>/dev/null && echo $at; done
        cat /etc/passwd > /dev/null && echo users; exit 0";
    let made = view.make(!geteuid().is_root()).unwrap();
    for namespaces in [needed([]), needed([Namespace::Pid, Namespace::Net, Namespace::Ipc])] {
        let mut command = seeing(&view, script);
        command.view(&made).namespaces(namespaces).sandbox(&sandbox);
        command.current_dir(Directory::at("/").unwrap());
        assert_eq!(text(&mut command), "text\ntext\nwrite\nusers\n", "{namespaces:?}");
        fs::write(place.path("write/file"), "text\n").unwrap();
    }
}

/// What `/proc` says of the machine is the run-time set's in a view too. What it says of
/// processes is new in each view, so no rule that was made before can name it.
fn check_proc(name: &str) {
    if !can_make(name) {
        return;
    }
    let proc = std::path::Path::new("/proc");
    let run_time = Sandbox::run_time_files().map(|(path, _)| path);
    // Newer kernels have the highest process id in each process-id namespace.
    let machine = run_time.filter(|path| path.starts_with(proc) && path.is_file());
    let machine = machine.filter(|path| !path.ends_with("pid_max"));
    let machine: Vec<_> = machine.map(|path| path.to_str().unwrap()).collect();
    assert!(machine.contains(&"/proc/meminfo"), "{machine:?}");
    let script = format!(
        "for at in {} /proc/self/status; do
            line=; read -r line < $at || test -n \"$line\" || echo $at; done 2>/dev/null; exit 0",
        machine.join(" ")
    );
    let view = usual();
    let made = view.make(!geteuid().is_root()).unwrap();
    let builder = support::sandbox::sandbox(&support::program("sh"));
    let builder = builder.path(proc, Access::Read).unwrap();
    let [of_files, without] =
        [builder.clone(), builder.without(Part::Files)].map(|builder| match builder.build() {
            Err(SandboxError::Missing(missing)) => {
                skip(name, missing);
                None
            }
            sandbox => Some(sandbox.unwrap()),
        });
    let closed = "/proc/self/status\n";
    for namespaces in [needed([]), needed([Namespace::Pid])] {
        // Without the right to make `/proc` of others' processes it is ours.
        let is_ours = !namespaces.contains(Namespace::Pid) && !geteuid().is_root();
        for prepared in [PreparedView::from(&made), PreparedView::from(&view)] {
            for (sandbox, says) in [(&of_files, closed), (&without, "")] {
                let Some(sandbox) = sandbox else { continue };
                let mut command = seeing(&view, &script);
                command.view(&prepared).namespaces(namespaces).sandbox(sandbox);
                command.current_dir(Directory::at("/").unwrap());
                let found = text(&mut command);
                assert!(found == says || is_ours && found.is_empty(), "{namespaces:?}: {found}");
            }
        }
    }
}

#[test]
fn what_the_machine_is_can_be_read_in_a_view() {
    isolated(|| {
        check_proc("what_the_machine_is_can_be_read_in_a_view");
        if geteuid().is_root() {
            become_ordinary();
            // Else its own files in `/proc`, which map ids, would be root's.
            set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
            check_proc("what_the_machine_is_can_be_read_in_a_view, by an ordinary user");
        }
    });
}
