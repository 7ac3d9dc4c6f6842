//! Commands that could fail in several ways.

mod support;

use std::fs::File;
use std::os::fd::OwnedFd;

use offspring_spawn::{Command, Errno, Resource, Rlimit, Stage};
use support::isolation::isolated;
use support::place::Place;
use support::traces::assert_no_children;
use support::{actions, error_of};

/// Asks for something that cannot be.
type Fail = fn(&mut Command) -> &mut Command;

/// What makes a command fail, in the order in which the child comes to it.
const FAILURES: [(Fail, Stage, Errno); 6] = [
    (|command| command.scheduler_priority(1), Stage::Scheduler, Errno::INVAL),
    (|command| command.new_session(true).new_process_group(true), Stage::ProcessGroup, Errno::PERM),
    (|command| command.limit(Resource::Core, SOFT_ABOVE_HARD), Stage::ResourceLimit, Errno::INVAL),
    (|command| command.current_dir(null()), Stage::WorkingDirectory, Errno::NOTDIR),
    (
        |command| {
            let add = actions(|actions| actions.close(9)?.fchdir(9)?.chdir("/missing"));
            command.file_actions(add)
        },
        Stage::FileAction(1),
        Errno::BADF,
    ),
    (|command| command, Stage::Exec, Errno::NOEXEC),
];

/// No limit can be so.
const SOFT_ABOVE_HARD: Rlimit = Rlimit { current: Some(1), maximum: Some(0) };

fn null() -> OwnedFd {
    File::open("/dev/null").unwrap().into()
}

#[test]
fn g6_the_first_failure_wins() {
    isolated(|| {
        let place = Place::new();
        let broken = place.script("broken", "");
        for first in 0..FAILURES.len() {
            let mut command = Command::new(&broken);
            for (fail, _, _) in &FAILURES[first..] {
                fail(&mut command);
            }
            let (_, stage, errno) = FAILURES[first];
            assert_eq!(error_of(&command), (stage, errno));
            command.cgroup(null());
            assert_eq!(error_of(&command), (Stage::Cgroup, Errno::BADF));
        }
        assert_no_children();
    });
}
