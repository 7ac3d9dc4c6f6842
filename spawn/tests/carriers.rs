//! Threads that are in a sandbox and make its children.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use offspring_spawn::{
    Access, CallGroup, Child, Command, Directory, Errno, ExitStatus, FileActions, Kernel, Mode,
    OFlags, Part, Program, Resource, Rlimit, Sandbox, SandboxBuilder, Signal, SpawnAbort,
    SpawnError, Stage, Stdio, is_single_threaded,
};
use rustix::process::{geteuid, getrlimit};
use support::cgroup::Cgroup;
use support::isolation::{isolated, skip};
use support::place::Place;
use support::sandbox::{become_ordinary, is_in_force, sandbox};
use support::traces::{Traces, assert_no_children};
use support::{find_line, killed, pid, program, read, text};

/// A sandbox for these programs and the shell, which finds them, and may read more.
fn shells(change: impl FnOnce(SandboxBuilder) -> SandboxBuilder) -> Sandbox {
    change(sandbox(&program("sh")).program(&program("cat"))).build().unwrap()
}

fn sh(sandbox: &Sandbox, script: &str) -> Command {
    let mut command = support::sh(script);
    command.sandbox(sandbox);
    command
}

/// The numbers of this process's threads that carry.
fn carriers() -> BTreeSet<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let carries = |task: &std::path::PathBuf| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == "offspring-carry")
    };
    tasks.filter(carries).map(|task| task.file_name().unwrap().to_str().unwrap().into()).collect()
}

/// Whether one of them made this child, as the kernel has it.
fn is_carried(child: &Child) -> bool {
    let number = pid(child).to_string();
    carriers().iter().any(|carrier| {
        let children = fs::read_to_string(format!("/proc/self/task/{carrier}/children")).unwrap();
        children.split_whitespace().any(|word| word == number)
    })
}

fn wait_for(is_so: impl Fn() -> bool) {
    while !is_so() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether this kernel makes children that are carried; else the test is skipped.
fn carries(test: &str) -> bool {
    let can = Kernel::get().unwrap().has_clone3();
    if !can {
        skip(test, "clone3 is refused");
    }
    can
}

#[test]
fn a_carried_child_is_what_another_is() {
    isolated(|| {
        if !carries("a_carried_child_is_what_another_is") {
            return;
        }
        let status = |sandbox: &Sandbox| {
            // By the shell itself: while it starts another program, its signals are blocked.
            let script = "
                for file in status limits; do
                    while read -r line; do echo \"$line\"; done < /proc/$$/$file
                done
                echo /proc/self/fd/*; read _";
            let mut command = sh(sandbox, script);
            let limit = Rlimit { current: Some(100), maximum: Some(200) };
            command.new_process_group(true).limit(Resource::Nofile, limit).umask(0o27);
            let mut child = command.stdin(Stdio::Piped).stdout(Stdio::Piped).spawn().unwrap();
            let is_carried = is_carried(&child);
            drop(child.stdin.take());
            let text = read(child.stdout.take());
            assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(1));
            // What is another for every process, or a matter of time.
            let other = ["Pid", "Tgid", "NStgid", "NSpid", "NSpgid", "NSsid", "Ngid", "SigQ"];
            let of_time = ["ctxt_switches", "Vm", "Rss", "State", "Cpus_", "Mems_", "x86_Thread"];
            let is_same = |line: &&str| {
                let word = line.split(':').next().unwrap_or_default();
                !other.contains(&word) && !of_time.iter().any(|part| word.contains(part))
            };
            let same: Vec<_> = text.lines().filter(is_same).map(str::to_owned).collect();
            (is_carried, same)
        };
        let made = shells(|builder| builder.path(Path::new("/proc"), Access::Read).unwrap());
        let (carried, by_itself) = status(&made);
        assert!(!carried);
        made.carry(1).unwrap();
        assert_eq!(status(&made), (true, by_itself.clone()));
        assert!(by_itself.iter().any(|line| line.starts_with("Seccomp:\t2")), "{by_itself:?}");
        assert!(by_itself.iter().any(|line| line.starts_with("Max core file size")));
    });
}

/// What the thread may do with its key, its children may not.
#[test]
fn the_key_is_not_in_the_child() {
    isolated(|| {
        if !carries("the_key_is_not_in_the_child") {
            return;
        }
        let made = shells(|builder| builder);
        made.carry(1).unwrap();
        // `ulimit -c` is a prlimit of the child's own, which is not done.
        let limits = text(&mut sh(&made, "ulimit -c 0; ulimit -c; ulimit -H -c"));
        let core = getrlimit(Resource::Core).maximum.map_or(1, |most| most.min(1));
        assert!(limits.lines().all(|line| line == core.to_string() || line == "0"), "{limits}");
        assert!(!format!("{made:?}").contains("key: Key(0"), "a secret is shown");
    });
}

#[test]
fn what_a_carrier_cannot_do_is_done_all_the_same() {
    isolated(|| {
        if !carries("what_a_carrier_cannot_do_is_done_all_the_same") {
            return;
        }
        let place = Place::new();
        let made = shells(|builder| builder);
        made.carry(2).unwrap();
        let by_itself = |change: &dyn for<'a> Fn(&'a mut Command) -> &'a mut Command| {
            let mut command = sh(&made, "read _; exit 4");
            change(&mut command);
            let mut child = command.stdin(Stdio::Piped).spawn().unwrap();
            assert!(!is_carried(&child));
            drop(child.stdin.take());
            assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(4));
        };
        by_itself(&|command| {
            let mut actions = FileActions::new();
            let mode = Mode::from_raw_mode(0o600);
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
            let path = place.root().join("made once");
            let _ = fs::remove_file(&path);
            actions.open(5, &path, flags, mode).unwrap();
            command.file_actions(actions)
        });
        by_itself(&|command| command.current_dir(Directory::at("/").unwrap()));
        by_itself(&|command| command.reset_ids(true));
        // This is not the first thread, and its end would not be the carrier's.
        by_itself(&|command| command.parent_death_signal(Some(Signal::TERM)));
        if geteuid().is_root() {
            // That needs CAP_SYS_NICE, which the carrier has given up.
            by_itself(&|command| command.nice(-5));
        } else {
            skip("what_a_carrier_cannot_do_is_done_all_the_same", "priority is root's to raise");
        }
        assert_no_children();
    });
}

#[test]
fn a_failure_is_the_same() {
    isolated(|| {
        if !carries("a_failure_is_the_same") {
            return;
        }
        let place = Place::new();
        let path = place.root().join("nothing");
        fs::write(&path, "\0 no program\n").unwrap();
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, permissions).unwrap();
        let nothing = Program::open(&path).unwrap();
        let made = sandbox(&nothing).build().unwrap();
        let mut command = Command::new(&nothing);
        command.sandbox(&made);
        let alone = command.spawn().map(drop);
        assert_eq!(alone, Err(SpawnError { stage: Stage::Exec, errno: Errno::NOEXEC }));
        made.carry(1).unwrap();
        assert_eq!(command.spawn().map(drop), alone);
        let gone = Arc::new(rustix::pipe::pipe().unwrap().0);
        command.cgroup(gone);
        let alone = command.spawn().map(drop).map_err(|error| error.stage);
        assert_eq!(alone, Err(Stage::Cgroup));
        assert_no_children();
    });
}

/// Many at once, with fewer carriers than threads that spawn.
#[test]
fn busy_carriers_hold_nobody_up() {
    isolated(|| {
        if !carries("busy_carriers_hold_nobody_up") {
            return;
        }
        let made = shells(|builder| builder);
        made.carry(2).unwrap();
        let run = |times: u32| {
            thread::scope(|scope| {
                for thread in 0..6_u8 {
                    let made = &made;
                    scope.spawn(move || {
                        for _ in 0..times {
                            let child = sh(made, &format!("exit {thread}")).spawn().unwrap();
                            let status = child.wait().unwrap().status;
                            assert_eq!(status, ExitStatus::Exited(thread));
                        }
                    });
                }
            });
        };
        run(30);
        assert!((1..=2).contains(&carriers().len()));
        assert_no_children();
    });
}

#[test]
fn a_carrier_is_free_while_its_child_is_not() {
    isolated(|| {
        if !carries("a_carrier_is_free_while_its_child_is_not") {
            return;
        }
        let Some(cgroup) = Cgroup::new("a_carrier_is_free_while_its_child_is_not") else { return };
        fs::write(cgroup.file("cgroup.freeze"), "1").unwrap();
        let made = shells(|builder| builder);
        made.carry(1).unwrap();
        let mut frozen = sh(&made, "read _");
        frozen.cgroup(cgroup.directory());
        let abort = SpawnAbort::default();
        let stuck = thread::scope(|scope| {
            let stuck = scope.spawn(|| frozen.spawn_abortable(&abort).map(drop));
            wait_for(|| !fs::read_to_string(cgroup.file("cgroup.procs")).unwrap().is_empty());
            let other = sh(&made, "read _").stdin(Stdio::Piped).spawn().unwrap();
            // The first one's is: the second is made by another thread, or by the same
            // when it was free again.
            assert_eq!(carriers().len(), 1);
            drop(other);
            abort.abort();
            stuck.join().unwrap()
        });
        assert_eq!(stuck, Err(SpawnError { stage: Stage::Exec, errno: Errno::CANCELED }));
        assert_no_children();

        fs::write(cgroup.file("cgroup.freeze"), "0").unwrap();
        let child = frozen.stdin(Stdio::Piped).spawn().unwrap();
        assert!(is_carried(&child));
        let group = fs::read_to_string(format!("/proc/{}/cgroup", pid(&child))).unwrap();
        assert!(group.contains("a_carrier_is_free_while_its_child_is_not"), "{group}");
    });
}

#[test]
fn aborted_at_any_moment() {
    isolated(|| {
        if !carries("aborted_at_any_moment") {
            return;
        }
        let made = shells(|builder| builder);
        made.carry(1).unwrap();
        for round in 0..200 {
            let abort = SpawnAbort::default();
            let result = thread::scope(|scope| {
                scope.spawn(|| {
                    (0..round % 40).for_each(|_| thread::yield_now());
                    abort.abort();
                });
                sh(&made, "read _").stdin(Stdio::Piped).spawn_abortable(&abort)
            });
            match result {
                Ok(child) => assert_eq!(child.try_wait().unwrap(), None),
                Err(error) => assert_eq!(error.errno, Errno::CANCELED),
            }
        }
        assert_no_children();
    });
}

#[test]
fn nothing_is_left_of_a_sandbox() {
    isolated(|| {
        if !carries("nothing_is_left_of_a_sandbox") {
            return;
        }
        let run = || {
            let made = shells(|builder| builder);
            made.carry(1).unwrap();
            let child = sh(&made, "read _").stdin(Stdio::Piped).spawn().unwrap();
            assert!(is_carried(&child));
            assert!(!is_single_threaded().unwrap());
            let mut old = carriers();
            drop(made);
            // It stays as long as its child does.
            assert_eq!(carriers(), old);
            child.kill().unwrap();
            assert_eq!(child.wait().unwrap().status, killed(Signal::KILL));
            wait_for(|| carriers().is_empty());
            old.clear();
        };
        run();
        Traces::unchanged(run);
    });
}

/// Nobody that came later is made by a thread that is still who this process was.
#[test]
fn another_user_is_not_carried() {
    isolated(|| {
        if !carries("another_user_is_not_carried") {
            return;
        }
        if !geteuid().is_root() {
            return skip("another_user_is_not_carried", "ids are root's to change");
        }
        let made = shells(|builder| builder.path(Path::new("/proc"), Access::Read).unwrap());
        made.carry(1).unwrap();
        become_ordinary();
        let mut command = sh(&made, "cat /proc/$$/status; read _");
        let mut child = command.stdin(Stdio::Piped).stdout(Stdio::Piped).spawn().unwrap();
        assert!(!is_carried(&child));
        drop(child.stdin.take());
        assert_eq!(find_line(&read(child.stdout.take()), "Uid"), "65534\t65534\t65534\t65534");
    });
}

/// Signals may pass between children of one domain; looking into each other may not.
#[test]
fn children_do_not_look_into_each_other() {
    isolated(|| {
        if !carries("children_do_not_look_into_each_other") {
            return;
        }
        let proc =
            |builder: SandboxBuilder| builder.path(Path::new("/proc"), Access::Read).unwrap();
        let everything = |builder: SandboxBuilder| {
            [Part::Files, Part::Truncate, Part::DeviceIoctl]
                .into_iter()
                .fold(builder, |all, part| all.without(part))
        };
        let tracer = |builder: SandboxBuilder| {
            builder.path(Path::new("/proc"), Access::Read).unwrap().let_through(CallGroup::Ptrace)
        };
        let ways: [&dyn Fn(SandboxBuilder) -> SandboxBuilder; 3] = [&proc, &everything, &tracer];
        for (number, way) in ways.into_iter().enumerate() {
            let made = shells(way);
            if !made.parts().any(|part| matches!(part, Part::Files | Part::Signals)) {
                // Whoever makes them: Landlock has no rules at all.
                skip("children_do_not_look_into_each_other", format!("no domain in way {number}"));
                continue;
            }
            made.carry(1).unwrap();
            let mut secret = sh(&made, "read _");
            let secret = secret.env("SECRET", "word").stdin(Stdio::Piped).spawn().unwrap();
            assert!(is_carried(&secret));
            let number = pid(&secret);
            let script = format!("cat /proc/{number}/environ; kill -KILL {number}; read _");
            let mut curious = sh(&made, &script);
            let mut curious = curious.stdin(Stdio::Piped).stdout(Stdio::Piped).spawn().unwrap();
            assert!(is_carried(&curious));
            drop(curious.stdin.take());
            assert_eq!(read(curious.stdout.take()), "");
            curious.wait().unwrap();
            if is_in_force(Part::Signals) {
                assert_eq!(secret.try_wait().unwrap(), None, "it was killed by another");
            }
        }
    });
}

#[test]
fn there_are_not_more_than_may_be() {
    isolated(|| {
        if !carries("there_are_not_more_than_may_be") {
            return;
        }
        let made = shells(|builder| builder);
        made.carry(0).unwrap();
        made.carry(5).unwrap();
        let child = sh(&made, "exit 0").spawn().unwrap();
        assert!(child.wait().unwrap().status.success());
        // The most that all sandboxes have together.
        let mut many = Vec::new();
        let refused = loop {
            let made = sandbox(&program("cat")).build().unwrap();
            match made.carry(1) {
                Ok(()) => many.push(made),
                Err(error) => break error,
            }
        };
        assert_eq!(refused, SpawnError { stage: Stage::Clone, errno: Errno::AGAIN });
        if many.len() < 511 {
            skip("there_are_not_more_than_may_be", format!("{} threads were all", many.len()));
        }
        assert!(many.len() <= 511);
        drop(many);
        wait_for(|| carriers().len() == 1);
    });
}
