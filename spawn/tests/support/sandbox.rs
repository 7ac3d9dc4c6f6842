//! Tests that go on inside a sandbox.

use std::io::Error;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use offspring_spawn::{
    Command, Errno, Lack, Part, Program, Sandbox, SandboxBuilder, SandboxError, SandboxSupport,
};
use rustix::process::geteuid;

use super::isolation::{assert_helps, helper_of, own_program, skip};

/// The user and group `nobody`.
const NOBODY: u32 = 65534;

/// A sandbox in which this program can run, with every part that this kernel's
/// Landlock is not too old for. The tests say what is so without the others.
pub fn sandbox(program: &Program) -> SandboxBuilder {
    let sandbox = Sandbox::builder().run_time(true).program(program);
    too_new().into_iter().fold(sandbox, SandboxBuilder::best_effort)
}

/// The parts that this kernel's Landlock is too old for.
pub fn too_new() -> Vec<Part> {
    let support = SandboxSupport::find();
    let is_too_new =
        |part: &Part| matches!(support.lack(*part), Some(Lack::LandlockVersion { .. }));
    Part::ALL.iter().copied().filter(is_too_new).collect()
}

/// Whether a part is in force in such a sandbox.
pub fn is_in_force(part: Part) -> bool {
    !too_new().contains(&part)
}

/// Runs this test again, where `is_helper` is true, in the sandbox that is made.
#[track_caller]
pub fn inside<F>(
    body: &F,
    make: impl FnOnce(SandboxBuilder) -> SandboxBuilder,
    change: impl FnOnce(&mut Command) -> &mut Command,
) {
    inside_with(body, &own_program(), make, change);
}

/// The same with a program that was opened before.
#[track_caller]
pub fn inside_with<F>(
    body: &F,
    program: &Program,
    make: impl FnOnce(SandboxBuilder) -> SandboxBuilder,
    change: impl FnOnce(&mut Command) -> &mut Command,
) {
    match make(sandbox(program)).build() {
        Ok(sandbox) => {
            let mut command = helper_of(body, program);
            let command = change(command.sandbox(&sandbox));
            assert_helps(command);
            // Once more by a thread that is in it already.
            sandbox.carry(1).unwrap();
            assert_helps(command);
        }
        Err(SandboxError::Missing(missing)) => skip(&this_test(), missing),
        Err(error) => panic!("{error}"),
    }
}

/// The name of the test that this thread runs.
fn this_test() -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    name.rsplit("::").next().unwrap_or(name).to_owned()
}

/// Makes this process one of an ordinary user, if it is root's. Only for a
/// process that runs one test.
#[expect(unsafe_code, reason = "the ids of all threads have no wrapper")]
pub fn become_ordinary() {
    if !geteuid().is_root() {
        return;
    }
    // SAFETY: the list of groups is empty.
    let groups = unsafe { libc::setgroups(0, std::ptr::null()) };
    // SAFETY: plain numbers.
    let group = unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) };
    // SAFETY: plain numbers.
    let user = unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) };
    assert_eq!((groups, group, user), (0, 0, 0), "{}", Error::last_os_error());
}

/// Lets an ordinary user write here.
pub fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
}

/// Makes a system call of any number with any arguments.
///
/// # Safety
///
/// They must be harmless, should the call be made.
#[expect(unsafe_code, reason = "that is the purpose")]
pub unsafe fn call(number: i64, args: [usize; 6]) -> Result<i64, Errno> {
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller's.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    checked(answer)
}

/// The answer of a function of the C library.
pub fn checked(answer: impl Into<i64>) -> Result<i64, Errno> {
    match answer.into() {
        -1 => Err(Errno::from_io_error(&Error::last_os_error()).unwrap()),
        answer => Ok(answer),
    }
}

/// What went wrong with a file, if anything did.
pub fn errno<T>(result: std::io::Result<T>) -> Option<Errno> {
    result.err().map(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}
