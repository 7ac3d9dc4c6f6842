//! Views that are made once, and what becomes of those that cannot be made.

mod support;

use std::fs;

use offspring_spawn::{Directory, Errno, Namespace, PreparedView, Stage, View, ViewAccess};
use rustix::process::geteuid;
use support::isolation::isolated;
use support::refusal::refuse;
use support::state::State;
use support::traces::{Traces, assert_no_children, descriptors};
use support::view::{Show, can_make, needed, place, seeing, usual};
use support::{error_of, sh, text};

#[test]
fn each_refusal_has_its_stage() {
    isolated(|| {
        if !can_make("each_refusal_has_its_stage") {
            return;
        }
        let place = place(&["source"]);
        let mut view = usual();
        view.show(&place, "source", "/src", ViewAccess::Write);
        text(&mut seeing(&view, "exit 0"));
        let state = State::now();
        // What the kernel was booted with stays where it is.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let unmounts = !mounts.starts_with("rootfs / ") || mounts.matches(" / ").count() > 1;
        for (call, is_root) in [
            (libc::SYS_fsopen, true),
            (libc::SYS_fsmount, true),
            (libc::SYS_pivot_root, true),
            (libc::SYS_umount2, true),
            (libc::SYS_mkdirat, false),
            (libc::SYS_mknodat, false),
            (libc::SYS_open_tree, false),
            (libc::SYS_statx, false),
        ] {
            if call == libc::SYS_umount2 && !unmounts {
                continue;
            }
            let view = view.clone();
            Traces::unchanged(|| {
                let thread = std::thread::spawn(move || {
                    let mut command = seeing(&view, "exit 0");
                    command.view(&view);
                    refuse(call, Errno::IO);
                    let (stage, errno) = error_of(&command);
                    assert_eq!(errno, Errno::IO);
                    assert_eq!(stage == Stage::Root, is_root, "{call}: {stage:?}");
                    assert_eq!(matches!(stage, Stage::View(_)), !is_root, "{call}: {stage:?}");
                });
                thread.join().unwrap();
            });
        }
        assert_eq!(State::now(), state);
    });
}

/// A view that was made before, and what makes it.
fn made(view: &View) -> PreparedView {
    view.make(!geteuid().is_root()).unwrap()
}

#[test]
fn one_that_was_made_is_the_same() {
    isolated(|| {
        if !can_make("one_that_was_made_is_the_same") {
            return;
        }
        let place = place(&["source", "read"]);
        place.file("source/a.c", 0o644, "text\n");
        let mut view = usual();
        view.show(&place, "source", "/src", ViewAccess::Write);
        view.show(&place, "read", "/read", ViewAccess::Read);
        text(&mut sh("exit 0"));
        let state = State::now();
        let made = {
            // Nothing is left of what made it but its namespaces.
            let before = descriptors("self").len();
            let made = made(&view);
            let namespaces = if geteuid().is_root() { 1 } else { 2 };
            assert_eq!(descriptors("self").len(), before + namespaces);
            assert_no_children();
            made
        };
        assert_eq!(State::now(), state);
        let script = "pwd; cat a.c; echo more > b.c; touch /read/new 2>/dev/null || echo no;
            touch /new 2>/dev/null || echo no; echo /root* /tmp*; cd ..; pwd; ls -d /proc/self/fd";
        let alone = Namespace::ALL.map(|namespace| needed([namespace]));
        for namespaces in alone.into_iter().chain([needed([]), needed(Namespace::ALL)]) {
            let of = |view: PreparedView| {
                let mut command = sh(script);
                command.view(&view).namespaces(namespaces);
                command.current_dir(Directory::at("/src").unwrap());
                Traces::unchanged(|| text(&mut command))
            };
            let printed = of(made.clone());
            assert_eq!(printed, "/src\ntext\nno\nno\n/root* /tmp*\n/\n/proc/self/fd\n");
            assert_eq!(printed, of((&view).into()), "{namespaces:?}");
            fs::remove_file(place.path("source/b.c")).unwrap();
            assert_eq!(State::now(), state, "{namespaces:?}");
        }
    });
}

#[test]
fn one_that_was_made_has_own_namespaces_too() {
    if !can_make("one_that_was_made_has_own_namespaces_too") {
        return;
    }
    let made = made(&usual());
    let script = "readlink /proc/self/ns/*; echo $$ /proc/[0-9]*";
    let seen = |namespaces| {
        let printed = text(sh(script).view(&made).namespaces(namespaces));
        printed.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let [one, other] = [(); 2].map(|()| seen(needed([])));
    // All of it is shared but what is of the processes.
    assert_eq!(one[..one.len() - 1], other[..other.len() - 1]);
    let all = seen(needed(Namespace::ALL));
    let shared = all.iter().filter(|line| one.contains(line) && !line.starts_with("time"));
    assert_eq!(shared.count(), 0, "{all:?} {one:?}");
    assert_eq!(all.last().unwrap(), "1 /proc/1");
    let net = seen(needed([Namespace::Net]));
    let differing = net.iter().filter(|line| !one.contains(line)).collect::<Vec<_>>();
    assert!(differing.iter().any(|line| line.starts_with("net:")), "{differing:?}");
}

#[test]
fn one_that_cannot_be_made() {
    isolated(|| {
        if !can_make("one_that_cannot_be_made") {
            return;
        }
        let place = place(&["outer", "inner"]);
        let mut view = usual();
        view.show(&place, "outer", "/src", ViewAccess::Write);
        view.show(&place, "inner", "/src/missing", ViewAccess::Write);
        text(&mut sh("exit 0"));
        let state = State::now();
        let error = Traces::unchanged(|| view.make(!geteuid().is_root()).unwrap_err());
        assert!(matches!(error.stage, Stage::View(_)) && error.errno == Errno::NOENT, "{error}");
        for (call, stage) in [
            (libc::SYS_openat, Stage::Namespaces),
            (libc::SYS_unshare, Stage::DescriptorTable),
            (libc::SYS_mount_setattr, Stage::Namespaces),
            (libc::SYS_clone3, Stage::Namespaces),
        ] {
            Traces::unchanged(|| {
                let thread = std::thread::spawn(move || {
                    let view = usual();
                    refuse(call, Errno::IO);
                    let error = view.make(!geteuid().is_root()).unwrap_err();
                    assert_eq!((error.stage, error.errno), (stage, Errno::IO));
                });
                thread.join().unwrap();
            });
        }
        assert_eq!(State::now(), state);
    });
}
