//! A host that may have no more descriptors, processes or memory.

mod support;

use std::fs::File;
use std::sync::Arc;
use std::thread;

use offspring_spawn::{Command, Errno, Kernel, Program, SpawnError, Stage, Stdio};
use rustix::process::{Resource, getrlimit};
use support::isolation::isolated;
use support::place::{Place, directory};
use support::traces::{Traces, assert_no_children, with_limit};
use support::{output, program, sh};

/// More descriptors than any spawn needs.
const PLENTY: usize = 16;

/// Uses up all descriptors up to a limit.
fn fill() -> Vec<File> {
    let file = File::open("/").unwrap();
    let mut files = Vec::new();
    while let Ok(copy) = file.try_clone() {
        files.push(copy);
    }
    files.push(file);
    files
}

/// A limit that leaves room for what a test fills.
fn low_limit() -> u64 {
    let highest = support::traces::descriptors("self").into_keys().max();
    u64::try_from(highest.unwrap()).unwrap() + 64
}

/// A command that needs as many descriptors as one can.
fn greedy(program: &Program) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::Piped).stdout(Stdio::Piped);
    command.stderr(Stdio::Inherit).current_dir(directory("/".as_ref()));
    command
}

fn assert_out_of_descriptors(error: SpawnError) {
    assert_eq!(error.errno, Errno::MFILE);
    let stages = [Stage::Kernel, Stage::Program, Stage::Descriptors, Stage::Clone];
    assert!(stages.contains(&error.stage), "{error:?}");
}

#[test]
fn any_number_of_free_descriptors() {
    isolated(|| {
        let place = Place::new();
        let script = place.script("script", "#!/bin/sh\nexit 0\n");
        let commands = [greedy(&program("true")), greedy(&script)];
        let (mut failures, mut successes) = (0, 0);
        for free in 0..PLENTY {
            for command in &commands {
                let limit = low_limit();
                Traces::unchanged(|| {
                    let result = with_limit(Resource::Nofile, limit, || {
                        let mut files = fill();
                        files.truncate(files.len() - free);
                        command.spawn()
                    });
                    match result {
                        Ok(child) => {
                            assert!(child.wait().unwrap().status.success());
                            successes += 1;
                        }
                        Err(error) => {
                            assert_out_of_descriptors(error);
                            failures += 1;
                        }
                    }
                });
            }
        }
        assert!(failures > 4 && successes > 4, "{failures} {successes}");
    });
}

#[test]
fn the_first_spawn_without_descriptors_spoils_no_later_one() {
    isolated(|| {
        let truth = || Program::open("/bin/sh");
        let opened = truth().unwrap();
        let limit = low_limit();
        with_limit(Resource::Nofile, limit, || {
            let files = fill();
            assert_out_of_descriptors(truth().unwrap_err());
            let error = Command::new(&opened).spawn().unwrap_err();
            assert_eq!((error.stage, error.errno), (Stage::Kernel, Errno::MFILE));
            let error = Kernel::get().unwrap_err();
            assert!(error.to_string().starts_with("cannot make a process"));
            drop(files);
        });
        assert!(Kernel::get().is_ok());
        assert!(Command::new(&opened).spawn().is_ok());
        assert_no_children();
    });
}

#[test]
fn no_more_processes() {
    isolated(|| {
        if rustix::process::geteuid().is_root() {
            // Limits of processes are not for root; nor is anybody this user.
            let nobody = rustix::process::Uid::from_raw(54_321);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        let command = sh("exit 3");
        // Before and after the kernel was asked what it can do.
        for stage in [Stage::Kernel, Stage::Clone] {
            Traces::unchanged(|| {
                let result = with_limit(Resource::Nproc, 0, || match stage {
                    Stage::Kernel => command.spawn(),
                    _ => {
                        assert!(Kernel::get().is_ok());
                        command.spawn()
                    }
                });
                let error = result.unwrap_err();
                assert_eq!((error.stage, error.errno), (stage, Errno::AGAIN));
            });
            let child = command.spawn().unwrap();
            assert!(child.wait().is_ok());
            // So that the null device and the kernel are known from now on.
        }
    });
}

#[test]
fn no_more_memory() {
    isolated(|| {
        let command = Arc::new(sh("exit 3"));
        let nothing = 4096;
        let error = with_limit(Resource::As, nothing, || command.spawn()).unwrap_err();
        assert_eq!((error.stage, error.errno), (Stage::Kernel, Errno::NOMEM));
        assert!(command.spawn().is_ok());
        assert_no_children();
    });
}

#[test]
fn limits_are_inherited() {
    isolated(|| {
        let hard = getrlimit(Resource::Nofile).maximum;
        let (text, _) =
            with_limit(Resource::Nofile, 77, || output(&mut sh("ulimit -S -n; ulimit -H -n")));
        let hard = hard.map_or("unlimited".to_owned(), |hard| hard.to_string());
        assert_eq!(text, format!("77\n{hard}\n"));
    });
}

#[test]
fn no_memory_for_a_stack() {
    isolated(|| {
        // A thread that has not spawned yet has no stack for a child.
        assert!(thread::spawn(Kernel::get).join().unwrap().is_ok());
        let command = sh("");
        let error = with_limit(Resource::As, 4096, || command.spawn()).unwrap_err();
        assert_eq!((error.stage, error.errno), (Stage::Memory, Errno::NOMEM));
        assert!(command.spawn().unwrap().wait().unwrap().status.success());
        assert_no_children();
    });
}
