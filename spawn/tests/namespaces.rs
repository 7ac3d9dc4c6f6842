//! Namespaces of the child's own.

mod support;

use std::fs;

use offspring_spawn::{
    Command, Errno, ExitStatus, Kernel, Namespace, Namespaces, Signal, Stage, Stdio,
};
use rustix::process::{getegid, geteuid};
use support::isolation::{helper, is_helper, isolated, skip};
use support::place::Place;
use support::refusal::refuse;
use support::state::State;
use support::traces::Traces;
use support::{assert_ends, error_of, output, pid, read_line, sh, text};

/// Its file below `/proc/self/ns`.
fn file_of(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Mount => "mnt",
        other => other.name(),
    }
}

/// These, and a user namespace where nothing else gives the right to them.
fn set(namespaces: impl IntoIterator<Item = Namespace>) -> Namespaces {
    let mut set: Namespaces = namespaces.into_iter().collect();
    if !geteuid().is_root() {
        set.insert(Namespace::User);
    }
    set
}

/// Whether namespaces can be made here at all; if not, the test of this name is
/// skipped.
fn can_make(name: &str) -> bool {
    match sh("exit 0").namespaces(set([Namespace::Uts])).spawn() {
        Ok(_) => true,
        Err(error) => {
            skip(name, error);
            false
        }
    }
}

fn own(namespace: Namespace) -> String {
    fs::read_link(format!("/proc/self/ns/{}", file_of(namespace))).unwrap().display().to_string()
}

/// The namespaces of the child, in the order of all of them.
fn children(namespaces: Namespaces) -> Vec<String> {
    let files = Namespace::ALL.map(file_of).join(" ");
    let script = format!("for ns in {files}; do readlink /proc/self/ns/$ns; done");
    text(sh(&script).namespaces(namespaces)).lines().map(str::to_owned).collect()
}

#[test]
fn each_alone_and_all_together() {
    isolated(|| {
        if !can_make("each_alone_and_all_together") {
            return;
        }
        let state = State::now();
        let alone = Namespace::ALL.map(|namespace| set([namespace]));
        for namespaces in alone.into_iter().chain([set(Namespace::ALL), Namespaces::NONE]) {
            let found = Traces::unchanged(|| children(namespaces));
            for (namespace, found) in Namespace::ALL.into_iter().zip(found) {
                let differs = own(namespace) != found;
                assert_eq!(
                    differs,
                    namespaces.contains(namespace),
                    "{namespace} of {namespaces:?}"
                );
            }
            assert_eq!(State::now(), state, "{namespaces:?}");
        }
    });
}

#[test]
fn a_user_namespace_has_our_ids_and_no_others() {
    if !can_make("a_user_namespace_has_our_ids_and_no_others") {
        return;
    }
    let mut command =
        sh("cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; id -g");
    command.namespaces([Namespace::User].into_iter().collect());
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let words = text(&mut command).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (user, group) = (user.to_string(), group.to_string());
    assert_eq!(words, [&user, &user, "1", &group, &group, "1", "deny", &user, &group]);
}

#[test]
fn the_network_is_empty() {
    if !can_make("the_network_is_empty") {
        return;
    }
    let mut command =
        sh("cat /proc/net/dev | tail -n +3 | cut -d: -f1; cat /proc/net/unix | tail -n +2");
    let found = text(command.namespaces(set([Namespace::Net])));
    assert_eq!(found.split_whitespace().collect::<Vec<_>>(), ["lo"]);
}

#[test]
fn a_process_id_namespace_ends_with_its_head() {
    isolated(|| {
        if !can_make("a_process_id_namespace_ends_with_its_head") {
            return;
        }
        // A daemon: another session, another parent. It alone holds the pipe after
        // the head has ended.
        let script = "setsid sh -c '(echo daemon; exec sleep 300) &'; echo $$; read -r _";
        let mut command = sh(script);
        command.stdin(Stdio::Piped).stdout(Stdio::Piped).namespaces(set([Namespace::Pid]));
        Traces::unchanged(|| {
            let mut child = command.spawn().unwrap();
            let out = child.stdout.take().unwrap();
            let mut lines = [read_line(&out), read_line(&out)];
            lines.sort();
            assert_eq!(lines, ["1", "daemon"]);
            // In our namespace it has another number, and it is our child.
            assert!(pid(&child) > 1);
            match child.pidfd().info() {
                Ok(info) => {
                    assert_eq!((info.pid, info.parent), (pid(&child), std::process::id()));
                }
                // Before Linux 6.13.
                Err(errno) => assert_eq!(errno, Errno::NOTTY),
            }
            drop(child.stdin.take());
            assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(1));
            // All that holds it is gone.
            assert_ends(&out);
            assert_eq!(read_line(&out), "");
        });
    });
}

#[test]
fn a_killed_head_takes_all_with_it() {
    if !can_make("a_killed_head_takes_all_with_it") {
        return;
    }
    let mut command = sh("setsid sh -c 'echo up; exec sleep 300' & wait");
    command.stdout(Stdio::Piped).namespaces(set([Namespace::Pid]));
    let mut child = command.spawn().unwrap();
    let out = child.stdout.take().unwrap();
    assert_eq!(read_line(&out), "up");
    child.pidfd().send_signal(Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().status, support::killed(Signal::KILL));
    assert_ends(&out);
    assert_eq!(read_line(&out), "");
}

#[test]
fn signals_to_the_head_of_a_process_id_namespace() {
    if !can_make("signals_to_the_head_of_a_process_id_namespace") {
        return;
    }
    let script = "trap 'echo usr1' USR1; echo up; while read -r line; do echo $line; done; exit 4";
    let mut command = sh(script);
    command.stdin(Stdio::Piped).stdout(Stdio::Piped).namespaces(set([Namespace::Pid]));
    let mut child = command.spawn().unwrap();
    let out = child.stdout.take().unwrap();
    assert_eq!(read_line(&out), "up");
    // Without a handler it does not arrive.
    child.pidfd().send_signal(Signal::TERM).unwrap();
    child.pidfd().send_signal(Signal::USR1).unwrap();
    assert_eq!(read_line(&out), "usr1");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(4));
}

#[test]
fn asking_the_head_of_a_process_id_namespace_to_end() {
    if !can_make("asking_the_head_of_a_process_id_namespace_to_end") {
        return;
    }
    let start = |script: &str| {
        let mut command = sh(script);
        command.stdout(Stdio::Piped).new_process_group(true);
        let mut child = command.namespaces(set([Namespace::Pid])).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        assert_eq!(read_line(&out), "up");
        (child, out)
    };
    // By default it would have died.
    let (child, _out) = start("echo up; exec sleep 300");
    child.terminate().unwrap();
    assert_eq!(child.wait().unwrap().status, support::killed(Signal::KILL));
    // It says how it ends.
    let (child, _out) = start("trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done");
    child.terminate().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(5));
    // It does not want to.
    let script = "trap '' TERM; trap 'echo more' USR1; echo up; while :; do sleep 0.01; done";
    let (child, out) = start(script);
    child.terminate().unwrap();
    // After the first signal, which it did not get.
    child.pidfd().send_signal(Signal::USR1).unwrap();
    assert_eq!(read_line(&out), "more");
    drop(child);
    // Its children have the time that they take, and then nothing keeps it.
    let (child, out) = start(
        "sh -c 'trap \"echo bye; exit\" TERM; echo up; while :; do sleep 0.01; done' & wait; wait
        exec sleep 300",
    );
    drop(child.release(std::time::Duration::from_secs(1000)));
    assert_eq!(read_line(&out), "bye");
    assert_ends(&out);
    assert_eq!(read_line(&out), "");
}

#[test]
fn proc_is_of_the_childs_own_processes() {
    if !can_make("proc_is_of_the_childs_own_processes") {
        return;
    }
    let ls = "cd /proc; echo [0-9]*; readlink self";
    let own = text(sh(ls).namespaces(set([Namespace::Pid, Namespace::Mount])));
    // The shell is 1, readlink the next one.
    assert_eq!(own, "1\n2\n");
    let ours = text(sh(ls).namespaces(set([Namespace::Pid])));
    assert!(ours.split_whitespace().any(|number| number == std::process::id().to_string()));
}

#[test]
fn what_is_mounted_in_the_child_is_not_seen_outside() {
    if !can_make("what_is_mounted_in_the_child_is_not_seen_outside") {
        return;
    }
    isolated(|| {
        let place = Place::new();
        let before = fs::read_to_string("/proc/self/mountinfo").unwrap();
        // As root of its user namespace or of ours it may mount.
        let mut command =
            sh("grep -c shared /proc/self/mountinfo; mount -t tmpfs none \"$0\"; ls \"$0\"");
        command.arg(place.root()).namespaces(set([Namespace::Mount]));
        fs::write(place.path("file"), "").unwrap();
        let (found, status) = output(&mut command);
        if geteuid().is_root() {
            assert_eq!((found.as_str(), status), ("0\n", ExitStatus::Exited(0)));
        }
        assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), before);
        assert!(place.path("file").exists());
    });
}

#[test]
fn dying_with_the_parent_in_a_process_id_namespace() {
    if !can_make("dying_with_the_parent_in_a_process_id_namespace") {
        return;
    }
    let mut command = sh("exit 8");
    command.parent_death_signal(Some(Signal::KILL)).namespaces(set([Namespace::Pid]));
    assert_eq!(command.spawn().unwrap().wait().unwrap().status, ExitStatus::Exited(8));
}

#[test]
fn a_group_of_another_namespace_cannot_be_joined() {
    if !can_make("a_group_of_another_namespace_cannot_be_joined") {
        return;
    }
    let leader = support::cat().new_process_group(true).spawn().unwrap();
    let mut command = sh("exit 0");
    command.join_process_group(&leader).unwrap().namespaces(set([Namespace::Pid]));
    let (stage, errno) = error_of(&command);
    assert_eq!(stage, Stage::ProcessGroup);
    assert!(matches!(errno, Errno::SRCH | Errno::PERM), "{errno}");
}

#[test]
fn a_cgroup_namespace_begins_at_the_childs_own() {
    if !can_make("a_cgroup_namespace_begins_at_the_childs_own") {
        return;
    }
    let Some(group) = support::cgroup::Cgroup::new("cgroup_namespace") else { return };
    let mut command = sh("grep ^0:: /proc/self/cgroup");
    command.cgroup(group.directory()).namespaces(set(Namespace::ALL));
    assert_eq!(text(&mut command), "0::/\n");
}

#[test]
fn what_the_kernel_refuses_has_its_stage() {
    isolated(|| {
        if !can_make("what_the_kernel_refuses_has_its_stage") {
            return;
        }
        let refused = |call, errno, namespaces: &[Namespace], stage| {
            let namespaces = set(namespaces.iter().copied());
            let thread = std::thread::spawn(move || {
                refuse(call, errno);
                let mut command = sh("exit 0");
                assert_eq!(error_of(command.namespaces(namespaces)), (stage, errno));
            });
            thread.join().unwrap();
        };
        // Before it is refused.
        if !Kernel::get().unwrap().has_clone3() {
            return skip("what_the_kernel_refuses_has_its_stage", "there is no clone3");
        }
        use Namespace::{Cgroup, Mount, Net, Pid, User};
        Traces::unchanged(|| {
            for errno in [Errno::PERM, Errno::NOSPC, Errno::USERS, Errno::INVAL] {
                refused(libc::SYS_clone3, errno, &[Net], Stage::Namespaces);
            }
            refused(libc::SYS_clone3, Errno::AGAIN, &[Net], Stage::Clone);
            refused(libc::SYS_openat, Errno::NOENT, &[User], Stage::IdMaps);
            refused(libc::SYS_unshare, Errno::NOSPC, &[Cgroup], Stage::Namespaces);
            refused(libc::SYS_mount_setattr, Errno::PERM, &[Mount], Stage::Namespaces);
            refused(libc::SYS_fsopen, Errno::PERM, &[Mount, Pid], Stage::Proc);
            refused(libc::SYS_fsconfig, Errno::PERM, &[Mount, Pid], Stage::Proc);
            refused(libc::SYS_fsmount, Errno::PERM, &[Mount, Pid], Stage::Proc);
            refused(libc::SYS_move_mount, Errno::ACCESS, &[Mount, Pid], Stage::Proc);
        });
    });
}

#[test]
fn a_limit_of_namespaces_is_told() {
    let name = "a_limit_of_namespaces_is_told";
    let body = || {
        let namespaces = [Namespace::User].into_iter().collect();
        let mut command = sh("exit 0");
        assert_eq!(error_of(command.namespaces(namespaces)), (Stage::Namespaces, Errno::NOSPC));
    };
    if is_helper(&body) {
        return body();
    }
    if !can_make(name) {
        return;
    }
    if !geteuid().is_root() {
        return skip(name, "only root of a user namespace may limit what is in it");
    }
    // In a namespace of its own the limit is its to set.
    let mut command = sh("echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"");
    let again = helper(&body);
    let (arguments, variables) = (again.get_args(), again.get_envs());
    command.arg("sh").arg(again.get_program()).args(arguments);
    for (name, value) in variables.filter_map(|(name, value)| Some((name, value?))) {
        command.env(name, value);
    }
    command.namespaces([Namespace::User].into_iter().collect());
    let printed = text(&mut command);
    assert!(printed.contains("test result: ok. 1 passed"), "{printed}");
}

#[test]
fn ids_of_another_and_a_user_namespace_exclude_each_other() {
    let mut command = sh("exit 0");
    command
        .identity(offspring_spawn::Identity { uid: 1, gid: 1, groups: Vec::new() })
        .namespaces([Namespace::User].into_iter().collect());
    assert_eq!(error_of(&command), (Stage::UserId, Errno::INVAL));
}

#[test]
fn a_script_runs_in_all_namespaces() {
    if !can_make("a_script_runs_in_all_namespaces") {
        return;
    }
    let place = Place::new();
    let script = place.script("script", "#!/bin/sh\necho \"$0 $$\"\n");
    let mut command = Command::new(&script);
    assert_eq!(text(command.namespaces(set(Namespace::ALL))), "/dev/fd/3 1\n");
}

/// The kernel is asked again in a process where it refuses clone3.
#[test]
fn without_clone3() {
    let body = || {
        refuse(libc::SYS_clone3, Errno::NOSYS);
        assert!(!Kernel::get().unwrap().has_clone3());
        for namespaces in Namespace::ALL.map(|namespace| set([namespace])) {
            for (namespace, found) in Namespace::ALL.into_iter().zip(children(namespaces)) {
                assert_eq!(own(namespace) != found, namespaces.contains(namespace), "{namespace}");
            }
        }
        let mut command = sh("exit 9");
        command.namespaces(set(Namespace::ALL)).parent_death_signal(Some(Signal::KILL));
        let child = command.spawn().unwrap();
        assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(9));
    };
    if is_helper(&body) {
        return body();
    }
    if can_make("without_clone3") {
        let output = helper(&body).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
