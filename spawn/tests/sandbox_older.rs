//! Sandboxes on a kernel whose Landlock is older than some parts: what is not
//! required may be missing, and is named. What is not refused then, the rows of the
//! other tests of sandboxes say.

mod support;

use offspring_spawn::{
    ExitStatus, Lack, Missing, Network, Part, Sandbox, SandboxBuilder, SandboxError,
};
use support::isolation::skip;
use support::sandbox::too_new;
use support::{program, sh};

/// A sandbox that wants every part.
fn whole() -> SandboxBuilder {
    Sandbox::builder().run_time(true).program(&program("sh")).network(Network::Unix)
}

/// The parts that are missing here; if there are none, the test is skipped.
fn missing_here(test: &str) -> Option<Vec<Part>> {
    match whole().build() {
        Ok(_) => skip(test, "this kernel has every part"),
        Err(SandboxError::Missing(Missing { lack: Lack::LandlockVersion { .. }, .. })) => {
            return Some(too_new());
        }
        Err(error) => skip(test, error),
    }
    None
}

#[test]
fn what_is_required_is_an_error_that_says_what_mends_it() {
    let Some(missing) = missing_here("what_is_required_is_an_error_that_says_what_mends_it") else {
        return;
    };
    for required in &missing {
        let others = missing.iter().filter(|part| *part != required);
        let made = others.fold(whole(), |builder, part| builder.best_effort(*part)).build();
        let error = made.unwrap_err();
        let SandboxError::Missing(Missing { part, lack }) = error else { panic!("{error}") };
        let Lack::LandlockVersion { needed, found } = lack else { panic!("{lack}") };
        assert!(part == *required && found < needed, "{error}");
        let since = match part {
            Part::Truncate => "6.2",
            Part::DeviceIoctl => "6.10",
            Part::Signals | Part::AbstractSockets => "6.12",
            part => panic!("{part} is older"),
        };
        let start = format!("a part of the sandbox is missing here: {part}: ");
        let end = format!("Landlock is of version {found} (Linux {since} mends it)");
        assert_eq!(error.to_string(), start + &end);
    }
}

#[test]
fn what_is_best_effort_is_told_and_the_rest_is_in_force() {
    let Some(missing) = missing_here("what_is_best_effort_is_told_and_the_rest_is_in_force") else {
        return;
    };
    let made = missing.iter().fold(whole(), |builder, part| builder.best_effort(*part));
    let made = made.build().unwrap();
    assert!(made.missing().iter().map(|missing| missing.part).eq(missing.iter().copied()));
    let rest = Part::ALL.iter().copied().filter(|part| !missing.contains(part));
    assert!(made.parts().eq(rest));
    // Its rules are those of a sandbox: the program may run, and no other file is there.
    let mut command = sh("read -r line < /proc/self/status 2>/dev/null && exit 1; exit 7");
    let child = command.sandbox(&made).spawn().unwrap();
    assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(7));
}
