//! Which descriptors a child has, and which it never sees.

mod support;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use offspring_spawn::{Child, Command, FileActions, Kernel, Program, Stdio};
use rustix::io::{FdFlags, fcntl_getfd};
use rustix::process::{Resource, getrlimit};
use support::cgroup::Cgroup;
use support::isolation::isolated;
use support::place::{Place, directory, inheritable};
use support::traces::{Traces, descriptors, with_limit};
use support::{actions, cat, output, pid, program, read_line, sh, status_line};

/// The descriptors of a child that has executed its program.
fn of_child(command: &mut Command) -> (Child, BTreeMap<i32, String>) {
    command.stdin(Stdio::Piped).stdout(Stdio::Piped);
    let child = command.spawn().unwrap();
    // Its program speaks: all that is closed at exec is closed.
    assert_eq!(read_line(child.stdout.as_ref().unwrap()), "ready");
    let all = descriptors(&pid(&child).to_string());
    (child, all)
}

const READY: &str = "echo ready; read line";

#[test]
fn only_the_standard_streams() {
    isolated(|| {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(1 << 20);
        let limit = hard.min(1 << 20);
        with_limit(Resource::Nofile, limit, || {
            let last = i32::try_from(limit).unwrap() - 1;
            let mut open: Vec<OwnedFd> = (0..512).map(|_| inheritable(3)).collect();
            open.push(inheritable(last));
            open.push(inheritable(last / 2));
            let (_child, all) = of_child(&mut sh(READY));
            assert_eq!(all.keys().collect::<Vec<_>>(), [&0, &1, &2], "{all:?}");
            // The host still has them.
            assert!(open.iter().all(|fd| fcntl_getfd(fd).is_ok()));
        });
    });
}

/// The kernel copies those below 64 for every child.
#[test]
fn what_no_child_is_given_is_no_low_number() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new("what_no_child_is_given_is_no_low_number") else { return };
        let kept = || {
            let opened = offspring_spawn::Cgroup::from_directory(cgroup.directory()).unwrap();
            let directory: Arc<OwnedFd> = (&opened).into();
            let (events, lock) = (opened.events().unwrap(), opened.lock().unwrap());
            let now = descriptors("self");
            drop((events, lock));
            let ours = now.iter().filter(|(_, path)| path.contains(&cgroup.name));
            let numbers: Vec<i32> = ours.map(|(number, _)| *number).collect();
            assert!(numbers.contains(&directory.as_raw_fd()));
            numbers
        };
        let numbers = kept();
        assert_eq!(numbers.len(), 3);
        assert!(numbers.iter().all(|number| *number >= 64), "{numbers:?}");
        // Where there are no such numbers, it works all the same.
        let numbers = with_limit(Resource::Nofile, 64, kept);
        assert!(numbers.len() == 3 && numbers.iter().all(|number| *number < 64), "{numbers:?}");
    });
}

#[test]
fn a_source_with_a_very_high_number() {
    isolated(|| {
        let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(1 << 20);
        with_limit(Resource::Nofile, limit.min(1 << 20), || {
            let last = i32::try_from(limit.min(1 << 20)).unwrap() - 1;
            let (_child, all) = of_child(sh(READY).stderr(inheritable(last)));
            assert_eq!(all.keys().collect::<Vec<_>>(), [&0, &1, &2], "{all:?}");
            assert_eq!(all[&2], "/dev/null");
        });
    });
}

#[test]
fn a_script_has_its_script_besides() {
    let place = Place::new();
    let script = place.script("script", "#!/bin/sh\necho ready; read line\n");
    let (_child, all) = of_child(&mut Command::new(&script));
    let path = place.path("script").to_string_lossy().into_owned();
    let scripts = all.values().filter(|link| **link == path).count();
    assert!(all.contains_key(&3) && scripts >= 1, "{all:?}");
    // The shell has a descriptor of its own for what it reads.
    let only_these = all.iter().all(|(number, link)| *number < 3 || *link == path);
    assert!(only_these, "{all:?}");
}

#[test]
fn scripts_by_every_low_number() {
    isolated(|| {
        let place = Place::new();
        place.file("script", 0o755, "#!/bin/sh\nexit 6\n");
        let mut fill = Vec::new();
        for _ in 0..8 {
            let script = Program::open(place.path("script")).unwrap();
            let child = Command::new(&script).spawn().unwrap();
            let status = child.wait().unwrap().status;
            assert_eq!(status, offspring_spawn::ExitStatus::Exited(6));
            drop(script);
            fill.push(inheritable(3));
        }
    });
}

#[test]
fn ours_are_closed_at_exec() {
    let mut child = cat().stdout(Stdio::Piped).stderr(Stdio::Piped).spawn().unwrap();
    let ends = [child.stdin.take(), child.stdout.take(), child.stderr.take()];
    let program = program("cat");
    let ends = ends.iter().flatten().map(AsFd::as_fd);
    for fd in ends.chain([child.as_fd(), program.as_fd()]) {
        assert_eq!(fcntl_getfd(fd), Ok(FdFlags::CLOEXEC));
        assert!(fd.as_raw_fd() > 2);
    }
}

#[test]
fn the_program_that_was_opened_is_what_runs() {
    let place = Place::new();
    let path = place.copy_of("sh", "tool");
    let tool = Program::open(&path).unwrap();
    std::fs::rename(&path, place.path("elsewhere")).unwrap();
    place.file("tool", 0o755, "garbage");
    let run = || {
        let child = Command::new(&tool).argv(["sh", "-c", "exit 7"]).spawn();
        child.unwrap().wait().unwrap().status
    };
    assert_eq!(run(), offspring_spawn::ExitStatus::Exited(7));
    std::fs::remove_file(place.path("elsewhere")).unwrap();
    assert_eq!(run(), offspring_spawn::ExitStatus::Exited(7));
    assert!(Command::new(&Program::open(&path).unwrap()).spawn().is_err());
}

#[test]
fn the_working_directory() {
    let place = Place::new();
    std::fs::create_dir(place.path("inner")).unwrap();
    let before = std::env::current_dir().unwrap();
    let inner = std::fs::canonicalize(place.path("inner")).unwrap();
    let printed = support::text(sh("pwd -P").current_dir(directory(&inner)));
    assert_eq!(printed.trim_end(), inner.to_str().unwrap());
    assert_eq!(std::env::current_dir().unwrap(), before);
    // By default it is ours.
    let printed = support::text(&mut sh("pwd -P"));
    let ours = std::fs::canonicalize(before).unwrap();
    assert_eq!(printed.trim_end(), ours.to_str().unwrap());
}

#[test]
fn a_working_directory_that_is_none() {
    use offspring_spawn::{Errno, SpawnError, Stage};
    isolated(|| {
        let mut command = sh("");
        command.current_dir(OwnedFd::from(File::open("/dev/null").unwrap()));
        let fails = || {
            let (stage, errno) = (Stage::WorkingDirectory, Errno::NOTDIR);
            assert_eq!(command.spawn().unwrap_err(), SpawnError { stage, errno });
        };
        fails();
        Traces::unchanged(fails);
    });
}

/// How many descriptors there is room for in a process's table.
fn table_size(child: &Child) -> usize {
    status_line(&pid(child).to_string(), "FDSize").parse().unwrap()
}

#[test]
fn a_host_with_thousands_of_descriptors_copies_few() {
    isolated(|| {
        let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(1 << 20);
        with_limit(Resource::Nofile, limit, || {
            // Asked early, as it should be.
            assert!(Kernel::get().is_ok());
            let many: Vec<OwnedFd> = (0..2000).map(|_| inheritable(3)).collect();
            let mut command = sh(READY);
            let root = || directory("/".as_ref());
            command.current_dir(root()).stderr(root()).pass(Arc::new(root()), 7).unwrap();
            for actions in [FileActions::new(), actions(|list| list.close(8))] {
                command.file_actions(actions);
                Traces::unchanged(|| {
                    let (child, all) = of_child(&mut command);
                    assert_eq!(all.keys().collect::<Vec<_>>(), [&0, &1, &2, &7], "{all:?}");
                    assert_eq!((&*all[&2], &*all[&7]), ("/", "/"));
                    assert_eq!(table_size(&child), 64);
                });
            }
            // The numbers that are lent are back, and hold nothing open.
            let (text, status) = output(&mut sh("echo through"));
            assert_eq!((&*text, status.success()), ("through\n", true));

            // More than there are low numbers for.
            for number in 10..60 {
                command.pass(Arc::new(root()), number).unwrap();
            }
            let (child, all) = of_child(&mut command);
            assert_eq!(all.len(), 3 + 1 + 50, "{all:?}");
            assert!(table_size(&child) > many.len());
        });
    });
}

#[test]
fn many_threads_share_the_low_numbers() {
    isolated(|| {
        let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(1 << 20);
        with_limit(Resource::Nofile, limit, || {
            assert!(Kernel::get().is_ok());
            let _many: Vec<OwnedFd> = (0..200).map(|_| inheritable(3)).collect();
            Traces::unchanged(|| {
                thread::scope(|scope| {
                    for thread in 0..8 {
                        scope.spawn(move || {
                            for round in 0..20 {
                                let word = format!("{thread} {round}");
                                let (text, status) = output(&mut sh(&format!("echo {word}")));
                                assert_eq!(text.trim_end(), word);
                                assert!(status.success());
                            }
                        });
                    }
                });
            });
        });
    });
}
