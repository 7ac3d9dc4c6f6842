//! From the core's words to those of the interfaces, and back.

use std::io;
use std::time::Duration;

use offspring_spawn::{CgroupErrorKind, Errno, PeakMemory, Stage};
use wasmtime::component::ResourceTableError;

use super::errno::errno_name;
use crate::audit::Refusal;
use crate::bindings::spawn;
use crate::bindings::types::{self, ErrorCode};
use crate::child::{Cause, Exit};
use crate::error::{ErrorCodeFailure, Failure};
use crate::launch::LaunchError;
use crate::request::Malformed;

/// What the guest gets for an error of the kernel.
pub(super) fn error_code(errno: Errno) -> ErrorCode {
    match errno {
        // XDEV is how openat2 says that a path leads out of its directory.
        Errno::ACCESS | Errno::PERM | Errno::XDEV | Errno::ROFS => ErrorCode::AccessDenied,
        Errno::NOENT => ErrorCode::NotFound,
        Errno::NOEXEC => ErrorCode::NotExecutable,
        Errno::NOTDIR => ErrorCode::NotDirectory,
        Errno::LOOP => ErrorCode::Loop,
        Errno::NAMETOOLONG => ErrorCode::NameTooLong,
        Errno::TOOBIG => ErrorCode::ArgumentListTooLong,
        Errno::INVAL => ErrorCode::InvalidArgument,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::SRCH => ErrorCode::NoSuchProcess,
        Errno::CHILD => ErrorCode::NoChild,
        Errno::REMOTE => ErrorCode::ForeignNamespace,
        Errno::BADF => ErrorCode::BadDescriptor,
        Errno::MFILE | Errno::NFILE => ErrorCode::TooManyDescriptors,
        Errno::AGAIN => ErrorCode::TooManyProcesses,
        Errno::NOMEM => ErrorCode::InsufficientMemory,
        Errno::IO => ErrorCode::Io,
        Errno::BUSY => ErrorCode::Busy,
        Errno::NOSYS | Errno::OPNOTSUPP => ErrorCode::Unsupported,
        other => ErrorCode::Other(errno_name(other).map(str::to_owned)),
    }
}

/// The same of a child's group.
fn group_error_code(kind: CgroupErrorKind, errno: Errno) -> ErrorCode {
    match kind {
        CgroupErrorKind::Gone | CgroupErrorKind::NotFound => ErrorCode::NotFound,
        CgroupErrorKind::LimitReached => ErrorCode::LimitReached,
        _ => error_code(errno),
    }
}

pub(super) fn io_error_code(error: &io::Error) -> ErrorCode {
    Errno::from_io_error(error).map_or(ErrorCode::Io, error_code)
}

/// A full table is a limit that the host sets; everything else that goes wrong
/// with it is a guest that broke its rules.
pub(super) fn table_is_full(error: ResourceTableError) -> ErrorCodeFailure {
    match error {
        ResourceTableError::Full => Failure::Guest(ErrorCode::LimitReached),
        error => Failure::Trap(error.into()),
    }
}

/// What `spawn` says of a full table.
pub(super) fn too_many_resources() -> spawn::SpawnError {
    spawn::SpawnError {
        stage: spawn::Stage::Policy("limits.max-handles".to_owned()),
        code: ErrorCode::LimitReached,
        errno: None,
        message: "the guest holds as many resources as its host allows".to_owned(),
    }
}

/// What the guest gets when no child was started.
pub(crate) fn launch_error(error: LaunchError) -> spawn::SpawnError {
    let message = error.to_string();
    let errno = |errno| errno_name(errno).map(str::to_owned);
    let kernel = |stage, error| (stage, error_code(error), errno(error));
    let group = || spawn::Stage::Attribute("group".to_owned());
    let (stage, code, errno) = match error {
        LaunchError::Malformed(Malformed::ArgumentListTooLong { .. }) => {
            (spawn::Stage::Request, ErrorCode::ArgumentListTooLong, None)
        }
        LaunchError::Malformed(_) => (spawn::Stage::Request, ErrorCode::InvalidArgument, None),
        LaunchError::Denied(denied) => {
            let rule = denied.rule.as_str().to_owned();
            (spawn::Stage::Policy(rule), ErrorCode::AccessDenied, None)
        }
        LaunchError::Rewritten => {
            (spawn::Stage::Policy("path".to_owned()), ErrorCode::AccessDenied, None)
        }
        LaunchError::LimitReached { rule, .. } => {
            (spawn::Stage::Policy(rule.to_owned()), ErrorCode::LimitReached, None)
        }
        LaunchError::TimedOut => kernel(spawn::Stage::Exec, Errno::TIMEDOUT),
        LaunchError::ShutDown => {
            (spawn::Stage::Policy("host".to_owned()), ErrorCode::AccessDenied, None)
        }
        LaunchError::Frozen => kernel(group(), Errno::BUSY),
        LaunchError::GroupFull => (group(), ErrorCode::LimitReached, Some("EAGAIN".to_owned())),
        LaunchError::Group(error) => {
            (group(), group_error_code(error.kind(), error.errno()), errno(error.errno()))
        }
        LaunchError::LeadsOut | LaunchError::NotInView => {
            kernel(spawn::Stage::Resolve, Errno::XDEV)
        }
        LaunchError::Resolve(errno) => kernel(spawn::Stage::Resolve, errno),
        LaunchError::Path(refused) => {
            let index = u32::try_from(refused.argument).unwrap_or(u32::MAX);
            kernel(spawn::Stage::Argument(index), refused.why.errno())
        }
        LaunchError::Bounds(errno) => kernel(spawn::Stage::Attribute("bounds".to_owned()), errno),
        LaunchError::Descriptors(errno) => kernel(spawn::Stage::Descriptors, errno),
        LaunchError::Deadline(errno) => {
            kernel(spawn::Stage::Attribute("deadline".to_owned()), errno)
        }
        LaunchError::Engine(error) if error.stage == Stage::Cgroup => {
            let kind = CgroupErrorKind::of(error.errno);
            (group(), group_error_code(kind, error.errno), errno(error.errno))
        }
        LaunchError::Engine(error) => kernel(stage(error.stage), error.errno),
    };
    spawn::SpawnError { stage, code, errno, message }
}

/// What the host is told of a spawn that failed: what the guest is.
pub(crate) fn refusal(error: &spawn::SpawnError) -> Refusal<'_> {
    let (stage, detail) = match &error.stage {
        spawn::Stage::Request => ("request", None),
        spawn::Stage::Policy(rule) => ("policy", Some(rule.clone())),
        spawn::Stage::Resolve => ("resolve", None),
        spawn::Stage::Argument(index) => ("argument", Some(index.to_string())),
        spawn::Stage::Descriptors => ("descriptors", None),
        spawn::Stage::Clone => ("clone", None),
        spawn::Stage::Attribute(name) => ("attribute", Some(name.clone())),
        spawn::Stage::Passed(number) => ("passed", Some(number.to_string())),
        spawn::Stage::FileAction(index) => ("file-action", Some(index.to_string())),
        spawn::Stage::Exec => ("exec", None),
    };
    Refusal { stage, detail, errno: error.errno.as_deref(), message: &error.message }
}

fn stage(stage: Stage) -> spawn::Stage {
    match stage {
        Stage::Arguments => spawn::Stage::Request,
        Stage::Program | Stage::Exec => spawn::Stage::Exec,
        Stage::Descriptors | Stage::DescriptorTable => spawn::Stage::Descriptors,
        Stage::StandardStream(number) => spawn::Stage::Passed(number.into()),
        Stage::Passed(number) => spawn::Stage::Passed(number),
        Stage::FileAction(index) => spawn::Stage::FileAction(index),
        Stage::Kernel | Stage::Memory | Stage::Clone => spawn::Stage::Clone,
        attribute => spawn::Stage::Attribute(attribute.name().to_owned()),
    }
}

pub(super) fn exit_status(exit: Exit) -> types::ExitStatus {
    types::ExitStatus {
        outcome: match exit.status {
            offspring_spawn::ExitStatus::Exited(code) => types::Outcome::Exited(code),
            offspring_spawn::ExitStatus::Signaled { signal, core_dumped } => {
                let signal = signal_name(signal);
                types::Outcome::Signaled(types::Signaled { signal, core_dumped })
            }
            offspring_spawn::ExitStatus::Lost => types::Outcome::Lost,
        },
        cause: exit.cause.map(|cause| match cause {
            Cause::Deadline => types::Cause::Deadline,
            // Nobody can ask by a handle that is gone.
            Cause::Killed | Cause::Dropped => types::Cause::Killed,
            Cause::KilledByHost => types::Cause::KilledByHost,
            Cause::OutOfMemory => types::Cause::OutOfMemory,
        }),
    }
}

pub(super) fn resource_usage(usage: offspring_spawn::ResourceUsage) -> types::ResourceUsage {
    types::ResourceUsage {
        user_time: nanoseconds(usage.user_time),
        system_time: nanoseconds(usage.system_time),
        peak_memory: match usage.peak_memory {
            PeakMemory::Exact(bytes) => types::PeakMemory::Exact(bytes),
            PeakMemory::AtMost(bytes) => types::PeakMemory::AtMost(bytes),
        },
        minor_faults: usage.minor_faults,
        major_faults: usage.major_faults,
        input_blocks: usage.input_blocks,
        output_blocks: usage.output_blocks,
        voluntary_switches: usage.voluntary_switches,
        involuntary_switches: usage.involuntary_switches,
    }
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

macro_rules! signals {
    ($($case:ident $constant:ident),* $(,)?) => {
        /// The signal of this name; `None` for a real-time signal beyond the
        /// last.
        pub(super) fn signal(name: types::Signal) -> Option<offspring_spawn::Signal> {
            match name {
                $(types::Signal::$case => Some(offspring_spawn::Signal::$constant),)*
                types::Signal::RealTime(index) => {
                    offspring_spawn::Signal::from_raw(32 + i32::from(index))
                }
            }
        }

        /// The name of this signal.
        pub(super) fn signal_name(signal: offspring_spawn::Signal) -> types::Signal {
            match signal {
                $(offspring_spawn::Signal::$constant => types::Signal::$case,)*
                real_time => types::Signal::RealTime(real_time.real_time().unwrap_or(u8::MAX)),
            }
        }
    };
}

signals! {
    Hup HUP, Int INT, Quit QUIT, Ill ILL, Trap TRAP, Abrt ABRT, Bus BUS, Fpe FPE, Kill KILL,
    Usr1 USR1, Segv SEGV, Usr2 USR2, Pipe PIPE, Alrm ALRM, Term TERM, Stkflt STKFLT, Chld CHLD,
    Cont CONT, Stop STOP, Tstp TSTP, Ttin TTIN, Ttou TTOU, Urg URG, Xcpu XCPU, Xfsz XFSZ,
    Vtalrm VTALRM, Prof PROF, Winch WINCH, Io IO, Pwr PWR, Sys SYS,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_has_one_name() {
        for number in 1..=64 {
            let known = offspring_spawn::Signal::from_raw(number).unwrap();
            assert_eq!(signal(signal_name(known)), Some(known));
        }
        assert_eq!(signal(types::Signal::RealTime(33)), None);
        assert_eq!(signal(types::Signal::RealTime(u8::MAX)), None);
    }

    #[test]
    fn errors_have_their_posix_names() {
        assert!(matches!(error_code(Errno::XDEV), ErrorCode::AccessDenied));
    }
}
