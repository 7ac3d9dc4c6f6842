//! What a child in a sandbox may, and what its parent may afterwards.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use offspring_spawn::{
    Access, CallGroup, Command, Errno, ExitStatus, Kernel, Lack, Network, Part, Program, Resource,
    Rlimit, Sandbox, SandboxError, Signal, Stage,
};
use rustix::process::{dumpable_behavior, geteuid, getrlimit, setrlimit};
use rustix::thread::{capabilities_secure_bits, set_no_new_privs};
use support::isolation::{is_helper, isolated, own_program, skip};
use support::place::{Place, directory};
use support::refusal::{refuse, refuse_if};
use support::sandbox::{become_ordinary, call, inside, inside_with, open_to_all, sandbox, too_new};
use support::traces::Traces;
use support::{find_line, output, program, sh, status_line, text};

/// What a process says of itself, where it may look.
fn status_of(program: &Program, change: impl FnOnce(&mut Command)) -> String {
    let made = sandbox(program).path(Path::new("/proc"), Access::Read).unwrap().build().unwrap();
    let mut command = Command::new(program);
    command.arg("/proc/self/status").sandbox(&made);
    change(&mut command);
    text(&mut command)
}

const CAPABILITIES: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

fn check_status(cat: &Program, bounded: bool) {
    let status = status_of(cat, |_| ());
    for set in CAPABILITIES.into_iter().filter(|set| bounded || *set != "CapBnd") {
        let value = u64::from_str_radix(&find_line(&status, set), 16);
        assert_eq!(value, Ok(0), "{set}");
    }
    assert_eq!(find_line(&status, "NoNewPrivs"), "1");
    assert_eq!(find_line(&status, "Seccomp"), "2");
}

#[test]
fn no_capability_is_left() {
    check_status(&program("cat"), geteuid().is_root());
    isolated(|| {
        let cat = program("cat");
        become_ordinary();
        check_status(&cat, false);
    });
}

#[test]
fn capabilities_are_kept_if_so_asked() {
    let cat = program("cat");
    let ask = |part: Option<Part>| {
        let builder = sandbox(&cat).path(Path::new("/proc"), Access::Read).unwrap();
        let made = part.into_iter().fold(builder, |builder, part| builder.without(part));
        let mut command = Command::new(&cat);
        command.arg("/proc/self/status").sandbox(&made.build().unwrap());
        find_line(&text(&mut command), "CapEff")
    };
    assert_eq!(ask(Some(Part::Capabilities)), status_line("self", "CapEff"));
    assert_eq!(u64::from_str_radix(&ask(None), 16), Ok(0));
}

/// A program of another user's that has the bit to run as that user.
fn check_set_user_id(owner: Option<u32>, look_for: &str) {
    let place = Place::new();
    open_to_all(place.root());
    let path = place.copy_of("id", "id");
    std::os::unix::fs::chown(&path, owner, None).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).unwrap();
    let id = Program::open(&path).unwrap();
    let shell = program("sh");
    if owner.is_none() {
        become_ordinary();
    }
    let user = |command: &mut Command| text(command.arg("-u"));
    let made = sandbox(&id).build().unwrap();
    assert_eq!(user(Command::new(&id).sandbox(&made)).trim(), look_for);
    // Nor by way of a program that it is not.
    let made = sandbox(&shell).program(&id).build().unwrap();
    let mut command = Command::new(&shell);
    command.args(["-c", "exec \"$0\" -u"]).arg(&path).sandbox(&made);
    assert_eq!(text(&mut command).trim(), look_for);
}

#[test]
fn a_program_with_roots_bit_gains_nothing() {
    if !geteuid().is_root() {
        return skip("a_program_with_roots_bit_gains_nothing", "only root can make one");
    }
    isolated(|| check_set_user_id(None, "65534"));
}

#[test]
fn a_program_with_anothers_bit_stays_with_its_user() {
    if !geteuid().is_root() {
        return skip("a_program_with_anothers_bit_stays_with_its_user", "only root can make one");
    }
    check_set_user_id(Some(65534), "0");
}

const GET_KEYRING: usize = 0;
const SESSION: usize = usize::MAX - 2;

fn session_keyring() -> Result<i64, Errno> {
    #[expect(unsafe_code, reason = "rustix has no keys")]
    // SAFETY: asks for a number.
    unsafe {
        call(libc::SYS_keyctl, [GET_KEYRING, SESSION, 0, 0, 0, 0])
    }
}

#[test]
fn each_child_has_a_session_keyring_of_its_own() {
    let body = || {};
    if is_helper(&body) {
        let parents = std::env::var("KEYRING").unwrap();
        return assert_ne!(session_keyring().map(|id| id.to_string()), Ok(parents));
    }
    let own = match session_keyring() {
        Ok(own) => own,
        Err(errno) => return skip("each_child_has_a_session_keyring_of_its_own", errno),
    };
    inside(
        &body,
        |sandbox| sandbox.let_through(CallGroup::Keys),
        |command| command.env("KEYRING", own.to_string()),
    );
    assert_eq!(session_keyring(), Ok(own));
}

#[test]
fn who_has_too_many_keys_does_without_where_keys_are_out_of_reach() {
    isolated(|| {
        let shell = program("sh");
        refuse(libc::SYS_keyctl, Errno::DQUOT);
        let spawn = |sandbox: &Sandbox| sh("exit 3").sandbox(sandbox).spawn();
        let spare = sandbox(&shell).build().unwrap();
        assert_eq!(spawn(&spare).unwrap().wait().unwrap().status, ExitStatus::Exited(3));
        let required = sandbox(&shell).let_through(CallGroup::Keys).build().unwrap();
        let error = spawn(&required).unwrap_err();
        assert_eq!((error.stage, error.errno), (Stage::Keyring, Errno::DQUOT));
    });
}

/// Where there are no keys, or none may be asked for, there is nothing to leave.
#[test]
fn a_kernel_without_keys() {
    isolated(|| {
        let shell = program("sh");
        // The last one that was said counts.
        for errno in [Errno::NOSYS, Errno::PERM, Errno::ACCESS] {
            refuse(libc::SYS_keyctl, errno);
            for builder in [sandbox(&shell), sandbox(&shell).let_through(CallGroup::Keys)] {
                let made = builder.build().unwrap();
                let child = sh("exit 3").sandbox(&made).spawn().unwrap();
                assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(3), "{errno}");
            }
        }
        refuse(libc::SYS_keyctl, Errno::IO);
        let made = sandbox(&shell).build().unwrap();
        let error = sh("exit 3").sandbox(&made).spawn().unwrap_err();
        assert_eq!((error.stage, error.errno), (Stage::Keyring, Errno::IO));
    });
}

#[test]
fn no_core_is_left() {
    isolated(|| {
        let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
        if !pattern.starts_with("core") || getrlimit(Resource::Core).maximum.is_some() {
            return skip("no_core_is_left", "no core would be left anyway");
        }
        setrlimit(Resource::Core, Rlimit { current: None, maximum: None }).unwrap();
        let place = Place::new();
        let crash = |change: &dyn Fn(&mut Command)| {
            let mut command = sh("kill -ABRT $$");
            command.current_dir(directory(place.root()));
            change(&mut command);
            let status = command.spawn().unwrap().wait().unwrap().status;
            (status, fs::read_dir(place.root()).unwrap().count())
        };
        let aborted = |core_dumped| ExitStatus::Signaled { signal: Signal::ABRT, core_dumped };
        let made = |part: Option<Part>| {
            let builder = sandbox(&program("sh")).path(place.root(), Access::Write).unwrap();
            let builder = part.into_iter().fold(builder, |builder, part| builder.without(part));
            builder.build().unwrap()
        };
        let unlimited = Rlimit { current: None, maximum: None };
        let none = made(None);
        // Whatever the command says besides.
        let crashed = crash(&|command| {
            command.sandbox(&none).limit(Resource::Core, unlimited);
        });
        assert_eq!(crashed, (aborted(false), 0));
        let one = made(Some(Part::CoreDumps));
        let crashed = crash(&|command| {
            command.sandbox(&one);
        });
        assert_eq!(crashed, (aborted(true), 1));
    });
}

/// What this process is, as far as a sandbox could change it.
fn own_state() -> Vec<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let lines = ["Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Seccomp_filters"];
    let lines = lines.into_iter().chain(CAPABILITIES).map(|line| find_line(&status, line));
    lines
        .chain([
            format!("{:?}", dumpable_behavior()),
            format!("{:?}", capabilities_secure_bits()),
            format!("{:?}", session_keyring()),
            format!("{:?}", getrlimit(Resource::Core)),
            format!("{:?}", fs::read("/etc/hostname").is_ok()),
        ])
        .collect()
}

fn check_parent(shell: &Program, true_: &Program) {
    let made = sandbox(shell).build().unwrap();
    // Keeps some descriptors the first time.
    Kernel::get().unwrap();
    let before = own_state();
    Traces::unchanged(|| {
        for _ in 0..3 {
            let mut command = Command::new(shell);
            command.args(["-c", "exit 4"]).sandbox(&made);
            let status = command.spawn().unwrap().wait().unwrap().status;
            assert_eq!(status, ExitStatus::Exited(4));
            // Not the program that the sandbox is for.
            let error = Command::new(true_).sandbox(&made).spawn().unwrap_err();
            assert_eq!((error.stage, error.errno), (Stage::Exec, Errno::ACCESS));
        }
    });
    assert_eq!(own_state(), before);
}

#[test]
fn the_parent_is_as_it_was() {
    isolated(|| {
        let (shell, true_) = (program("sh"), program("true"));
        check_parent(&shell, &true_);
        become_ordinary();
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)
            .unwrap();
        check_parent(&shell, &true_);
    });
}

#[test]
fn a_kernel_without_landlock() {
    isolated(|| {
        let shell = program("sh");
        refuse(libc::SYS_landlock_create_ruleset, Errno::NOSYS);
        let error = sandbox(&shell).build().unwrap_err();
        let missing = match &error {
            SandboxError::Missing(missing) => *missing,
            other => panic!("{other}"),
        };
        let lack = Lack::Landlock(Errno::NOSYS);
        assert_eq!((missing.part, missing.lack), (Part::Files, lack));
        assert!(error.to_string().contains("Linux 5.13"), "{error}");

        let parts = [Part::Files, Part::Truncate, Part::DeviceIoctl, Part::Signals];
        for last in parts {
            let builder = parts.iter().filter(|part| **part != last);
            let builder = builder.fold(sandbox(&shell), |builder, part| builder.best_effort(*part));
            let missing = builder.build().map(drop);
            let missing = missing.map_err(|error| match error {
                SandboxError::Missing(missing) => missing.part,
                other => panic!("{other}"),
            });
            assert_eq!(missing, Err(last));
        }
        let made = parts.iter().fold(sandbox(&shell), |builder, part| builder.best_effort(*part));
        let made = made.build().unwrap();
        assert!(made.missing().iter().map(|missing| missing.part).eq(parts));
        // The rest of it is in force.
        let (printed, _) = output(sh("cat /proc/self/status").sandbox(&made));
        assert_eq!(find_line(&printed, "NoNewPrivs"), "1");
        assert_eq!(find_line(&printed, "Seccomp"), "2");
        // A network that is refused by the filter needs no Landlock, UNIX
        // sockets do.
        let network = sandbox(&shell).without(Part::Files).without(Part::Signals);
        assert!(network.clone().build().is_ok());
        let error = network.network(Network::Unix).build().unwrap_err();
        let SandboxError::Missing(missing) = error else { panic!("{error}") };
        assert_eq!(missing.part, Part::AbstractSockets);
    });
}

#[test]
fn a_kernel_without_seccomp() {
    isolated(|| {
        let shell = program("sh");
        // As the answer to what there is, and to the filter itself.
        refuse_if(libc::SYS_seccomp, 0, 2, Errno::INVAL);
        let error = sandbox(&shell).build().unwrap_err();
        let SandboxError::Missing(missing) = error else { panic!("{error}") };
        assert_eq!(missing.lack, Lack::Seccomp(Errno::INVAL));
        let made = sandbox(&shell).best_effort(Part::Network).best_effort(Part::SystemCalls);
        let made = made.build().unwrap();
        let missing = made.missing().iter().map(|missing| missing.part);
        let missing = missing.filter(|part| !too_new().contains(part));
        assert!(missing.eq([Part::Network, Part::SystemCalls]));
        let status = sh("exit 5").sandbox(&made).spawn().unwrap().wait().unwrap().status;
        assert_eq!(status, ExitStatus::Exited(5));
    });
}

#[test]
fn every_part_that_fails_in_the_child_says_so() {
    for (number, first, stage) in [
        (libc::SYS_prctl, Some(38), Stage::NoNewPrivileges),
        (libc::SYS_prctl, Some(47), Stage::Capabilities),
        (libc::SYS_capset, None, Stage::Capabilities),
        (libc::SYS_keyctl, None, Stage::Keyring),
        (libc::SYS_landlock_restrict_self, None, Stage::Landlock),
        (libc::SYS_seccomp, Some(1), Stage::Seccomp),
    ] {
        let spawn = |errno| {
            let made = sandbox(&program("sh")).build().unwrap();
            // In a thread: what a process has refused itself it cannot undo.
            let thread = std::thread::spawn(move || {
                // As the filters of this thread are made.
                set_no_new_privs(true).unwrap();
                match (number, first) {
                    // The filter that refuses is made by the same call.
                    (libc::SYS_seccomp, Some(first)) => refuse_if(number, 0, first, errno),
                    (number, Some(first)) => refuse_if(number, 0, first, errno),
                    (number, None) => refuse(number, errno),
                }
                sh("").sandbox(&made).spawn().map(drop)
            });
            thread.join().unwrap().unwrap_err()
        };
        let error = spawn(Errno::IO);
        assert_eq!((error.stage, error.errno), (stage, Errno::IO));
    }
}

#[test]
fn what_bounds_capabilities_need_not_be_permitted() {
    isolated(|| {
        let shell = program("sh");
        let made = sandbox(&shell).build().unwrap();
        for option in [24, 28] {
            refuse_if(libc::SYS_prctl, 0, option, Errno::PERM);
        }
        let status = sh("exit 6").sandbox(&made).spawn().unwrap().wait().unwrap().status;
        assert_eq!(status, ExitStatus::Exited(6));
        for (option, stage) in [(28, Stage::SecureBits), (24, Stage::Capabilities)] {
            if geteuid().is_root() {
                refuse_if(libc::SYS_prctl, 0, option, Errno::INVAL);
                let error = sh("").sandbox(&made).spawn().unwrap_err();
                assert_eq!((error.stage, error.errno), (stage, Errno::INVAL));
            }
        }
    });
}

#[test]
fn a_script_runs_with_its_interpreter() {
    let place = Place::new();
    let script = place.script("script", "#!/bin/sh\nexit 7\n");
    let made = sandbox(&script).build().unwrap();
    let child = Command::new(&script).sandbox(&made).spawn().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(7));
}

#[test]
fn a_sandbox_within_a_sandbox() {
    let body = || {};
    let exit = |sandbox: &Sandbox, code: &str| {
        let mut command = sh(code);
        command.sandbox(sandbox).spawn().unwrap().wait().unwrap().status
    };
    if is_helper(&body) {
        // What the outer one closes stays so; a filter is no reason to fail.
        let made = sandbox(&program("sh")).build().unwrap();
        return assert_eq!(exit(&made, "exit 8"), ExitStatus::Exited(8));
    }
    let shell = program("sh");
    let own = own_program();
    inside_with(
        &body,
        &own,
        |sandbox| {
            let sandbox = sandbox.program(&shell).path(Path::new("/proc"), Access::Read).unwrap();
            sandbox.path(Path::new("/dev/null"), Access::Write).unwrap()
        },
        |command| command,
    );
}
