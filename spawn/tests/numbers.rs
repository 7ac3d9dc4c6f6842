//! The numbers of a child's descriptors: any that it is given, and no other.

mod support;

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use offspring_spawn::{Command, Errno, ExitStatus, Mode, OFlags, SpawnError, Stage, Stdio};
use rustix::process::{Resource, getrlimit};
use support::isolation::isolated;
use support::place::{Place, directory};
use support::traces::{Traces, descriptors};
use support::{actions, pid, read_line, sh};

const NONE: Mode = Mode::empty();
const READ: OFlags = OFlags::RDONLY;

/// The numbers of a child that speaks and waits when it is ready, beyond its
/// streams.
fn numbers(command: &mut Command) -> Vec<i32> {
    command.stdin(Stdio::Piped).stdout(Stdio::Piped);
    let child = command.spawn().unwrap();
    assert_eq!(read_line(child.stdout.as_ref().unwrap()), "ready");
    let all = descriptors(&pid(&child).to_string());
    all.into_keys().filter(|number| *number > 2).collect()
}

fn ready() -> Command {
    sh("echo ready; read line")
}

/// A child with a hundred descriptors from 20 on, which closes some.
fn hundred(first_closed: i32) -> Vec<i32> {
    let null = Arc::new(OwnedFd::from(File::open("/dev/null").unwrap()));
    let mut command = ready();
    for number in 20..120 {
        command.pass(Arc::clone(&null), number).unwrap();
    }
    command.file_actions(actions(|actions| actions.close_from(first_closed)));
    numbers(&mut command)
}

#[test]
fn sp5_1_the_upper_half() {
    assert_eq!(hundred(70), (20..70).collect::<Vec<_>>());
}

#[test]
fn sp5_3_all_but_one() {
    assert_eq!(hundred(21), [20]);
}

#[test]
fn sp5_4_all_of_them() {
    assert_eq!(hundred(20), []);
}

#[test]
fn sp5_6_those_of_the_parent_stay() {
    isolated(|| {
        let mut command = sh("exit 0");
        command.file_actions(actions(|actions| actions.close_from(3)));
        command.spawn().unwrap();
        Traces::unchanged(|| {
            let child = command.spawn().unwrap();
            assert!(child.wait().unwrap().status.success());
        });
    });
}

#[test]
fn g8_close_on_exec_is_kept_and_cleared() {
    let mut command = ready();
    let flags = READ | OFlags::CLOEXEC;
    command.file_actions(actions(|actions| {
        // 3 is the lowest free number, 9 is not.
        actions
            .open(3, "/dev/null", flags, NONE)?
            .open(9, "/dev/null", flags, NONE)?
            .open(8, "/dev/null", flags, NONE)?
            .dup2(8, 8)?
            .dup2(9, 7)
    }));
    assert_eq!(numbers(&mut command), [7, 8]);
}

#[test]
fn nothing_hidden_can_be_named() {
    isolated(|| {
        let place = Place::new();
        let script = place.script("script", "#!/bin/sh\nexit 6\n");
        let root = Arc::new(directory("/".as_ref()));
        let commands = [sh("exit 6"), Command::new(&script)];
        let last = i32::try_from(getrlimit(Resource::Nofile).current.unwrap()).unwrap() - 1;
        for mut command in commands {
            command.current_dir(Arc::clone(&root)).stdin(Stdio::Piped);
            command.pass(Arc::clone(&root), 6).unwrap();
            for number in (3..40).chain([last / 2, last]) {
                // What is hidden would be found here, if it could be.
                let (stage, errno) = (Stage::FileAction(0), Errno::BADF);
                for all in [actions(|all| all.fchdir(number)), actions(|all| all.dup2(number, 2))] {
                    let answer = command.file_actions(all).spawn().map(drop);
                    match number {
                        6 => assert_eq!(answer, Ok(())),
                        _ => assert_eq!(answer, Err(SpawnError { stage, errno })),
                    }
                }
                // And this would take its place.
                let all = actions(|all| {
                    all.dup2(0, number)?
                        .open_beneath(number, Arc::clone(&root), "dev/null", READ, NONE)?
                        .open_beneath(5, Arc::clone(&root), "dev/null", READ, NONE)?
                        .close(number)?
                        .close_from(number)?
                        .close_from(3)?
                        .open_beneath(number, Arc::clone(&root), "dev/null", READ, NONE)?
                        .close_from(0)
                });
                let child = command.file_actions(all).spawn().unwrap();
                assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(6), "{number}");
            }
        }
    });
}

#[test]
fn any_descriptor_as_any_number() {
    let place = Place::new();
    let files: Vec<Arc<OwnedFd>> = (0..8)
        .map(|number| Arc::new(File::create(place.path(number.to_string())).unwrap().into()))
        .collect();
    let link = |index: usize| place.path(index.to_string()).display().to_string();
    // Numbers that are sources too, and a source that has two.
    let raw = files.iter().map(|file| file.as_raw_fd());
    let numbers: Vec<i32> = raw.rev().collect();
    let mut command = ready();
    command.stdin(Stdio::Piped).stdout(Stdio::Piped);
    for (file, number) in files.iter().zip(&numbers) {
        command.pass(Arc::clone(file), *number).unwrap();
    }
    command.pass(Arc::clone(&files[0]), 500).unwrap();
    command.pass(Arc::clone(&files[3]), 2).unwrap();
    let child = command.spawn().unwrap();
    assert_eq!(read_line(child.stdout.as_ref().unwrap()), "ready");
    let all = descriptors(&pid(&child).to_string());
    for (index, number) in numbers.iter().enumerate() {
        assert_eq!(all[number], link(index));
    }
    assert_eq!((all[&500].clone(), all[&2].clone()), (link(0), link(3)));
    assert_eq!(all.len(), 3 + 8 + 1, "{all:?}");
}
