//! Every attribute needs its word in the grant, and none takes more than the
//! host has without another.

use offspring_guest::{Command, ErrorCode, ExitSignal, Resource, Rlimit, SchedulerPolicy};
use offspring_guest::{Signal, Stage, Stdio, grants};
use test_programs::{cat, refused};

/// How to choose an attribute.
type Choose = Box<dyn Fn(&mut Command)>;

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[track_caller]
fn denied(rule: &str, says: &str, command: &mut Command) {
    let (_, error) = refused(command.spawn());
    assert_eq!(error.stage, Stage::Policy(rule.into()), "{}", error.message);
    assert_eq!(error.code, ErrorCode::AccessDenied);
    assert_eq!(error.errno, None, "it was not the kernel");
    assert!(error.message.contains(says), "{}", error.message);
}

fn main() {
    let leader = cat();
    let both = |most| Rlimit::both(most);
    let choices: Vec<(&str, Choose)> = vec![
        (
            "session",
            Box::new(|it| {
                it.new_session(true);
            }),
        ),
        (
            "process-group",
            Box::new(|it| {
                it.new_process_group();
            }),
        ),
        (
            "process-group",
            Box::new(move |it| {
                it.join_process_group(leader.pidfd());
            }),
        ),
        (
            "signal-mask",
            Box::new(|it| {
                it.signal_mask([]);
            }),
        ),
        (
            "default-signals",
            Box::new(|it| {
                it.default_signals([Signal::INT]);
            }),
        ),
        (
            "reset-ids",
            Box::new(|it| {
                it.reset_ids(true);
            }),
        ),
        (
            "scheduler",
            Box::new(|it| {
                it.scheduler(SchedulerPolicy::Idle, 0);
            }),
        ),
        (
            "scheduler",
            Box::new(|it| {
                it.scheduler_priority(0);
            }),
        ),
        (
            "nice",
            Box::new(|it| {
                it.nice(19);
            }),
        ),
        (
            "cpu-affinity",
            Box::new(|it| {
                it.cpu_affinity([0]);
            }),
        ),
        (
            "umask",
            Box::new(|it| {
                it.umask(0o77);
            }),
        ),
        (
            "rlimits",
            Box::new(move |it| {
                it.rlimit(Resource::Core, both(0));
            }),
        ),
        (
            "exit-signal",
            Box::new(|it| {
                it.exit_signal(ExitSignal::None);
            }),
        ),
    ];
    for (word, choose) in &choices {
        let mut plain = command("plain");
        choose(&mut plain);
        denied("attributes", &format!("`{word}` may not be chosen for `plain`"), &mut plain);
        let mut umask = command("umask");
        choose(&mut umask);
        match *word {
            "umask" => assert!(umask.status().expect("it is allowed").success()),
            _ => denied("attributes", "allowed: `umask`", &mut umask),
        }
    }
    // What is set back is not chosen.
    let plain = &mut command("plain");
    assert!(plain.new_session(false).reset_ids(false).status().expect("it starts").success());

    let bounded = || command("bounded");
    let more = "takes more than the host has, which needs `raise-priority`";
    denied("attributes", more, bounded().nice(-20));
    denied("attributes", more, bounded().nice(i32::MIN));
    denied("attributes", more, bounded().scheduler(SchedulerPolicy::Fifo, 1));
    denied("attributes", more, bounded().scheduler(SchedulerPolicy::RoundRobin, 99));
    let limit = "the limit `core` of `bounded` may be 7 at most";
    denied("rlimits", limit, bounded().rlimit(Resource::Core, both(8)));
    let none = Rlimit { soft: Some(0), hard: None };
    denied("rlimits", limit, bounded().rlimit(Resource::Core, none));
    let limit = "the limit `nofile` of `bounded` may be ";
    denied("rlimits", limit, bounded().rlimit(Resource::Nofile, both(u64::MAX - 1)));
    assert!(bounded().rlimit(Resource::Core, both(7)).status().expect("it starts").success());

    // As the host says that it is.
    let grants = grants();
    let grant = grants.iter().find(|grant| grant.name == "bounded").expect("it is granted");
    assert_eq!(grant.rlimits, [(Resource::Core, 7)]);
    assert_eq!(format!("{:?}", grant.attributes), "[Scheduler, Nice, Rlimits]");
}
