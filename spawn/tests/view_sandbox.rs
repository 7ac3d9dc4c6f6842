//! A view and a sandbox together: what each allows alone is not enough.

mod support;

use std::fs;

use offspring_spawn::{Access, Directory, Namespace, Sandbox, SandboxError, View, ViewAccess};
use support::isolation::skip;
use support::place::directory;
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
    let sandbox = Sandbox::builder()
        .run_time(true)
        .program(&sh)
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
    let made = view.make(!rustix::process::geteuid().is_root()).unwrap();
    for namespaces in [needed([]), needed([Namespace::Pid, Namespace::Net, Namespace::Ipc])] {
        let mut command = seeing(&view, script);
        command.view(&made).namespaces(namespaces).sandbox(&sandbox);
        command.current_dir(Directory::at("/").unwrap());
        assert_eq!(text(&mut command), "text\ntext\nwrite\nusers\n", "{namespaces:?}");
        fs::write(place.path("write/file"), "text\n").unwrap();
    }
}
