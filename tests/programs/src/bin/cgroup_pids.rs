//! A fork bomb stays in its group.

use std::io::ErrorKind;

use offspring_guest::cgroup::{Cgroup, Limit};
use offspring_guest::{Command, ErrorCode, Stage, Stdio};
use test_programs::{refused, sh, started};

/// Without streams.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn main() {
    let build = Cgroup::open("build").expect("it is granted");
    // Each part has a group of its own: those who were killed count until
    // whoever inherited them has waited for them.
    let limited = |name: &str, max| {
        let group = build.create_child(name).expect("it can be made");
        group.set_pids_max(Limit::At(max)).expect("there is a controller");
        group
    };

    // It ends when it can make no more; those that it has made are there.
    let group = limited("many", 16);
    let pids = |group: &Cgroup| group.stat().expect("it is there").pids.expect("it is counted");
    let many = "i=0; while [ $i -lt 100 ]; do sleep 100000 & i=$((i + 1)); done";
    let mut child = quiet(&mut sh(many)).group(&group).spawn().expect("it starts");
    assert!(!child.wait().expect("it ends").success());
    let stat = pids(&group);
    assert!((1..=16).contains(&stat.current) && stat.max == Limit::At(16), "{stat:?}");
    assert!(stat.refused != Some(0) && stat.peak.is_none_or(|peak| peak <= 16), "{stat:?}");
    group.kill().expect("it is ours");
    group.wait_empty().expect("they end");

    // One that goes on for ever is killed, too, and who is not in its group has
    // not noticed.
    let group = limited("bomb", 16);
    let bomb = "bomb() { bomb | bomb & }; bomb; echo lit; exec sleep 100000";
    let (child, _) = started(sh(bomb).group(&group));
    assert!(pids(&group).current <= 16, "{:?}", pids(&group));
    assert!(sh("").status().expect("there is room").success());
    group.kill().expect("it is ours");
    group.wait_empty().expect("they end");
    drop(child);

    // One more is refused to the guest, too, and says by what.
    let group = limited("one", 1);
    let (_one, _) = started(sh("echo started; exec sleep 100000").group(&group));
    let mut second = sh("");
    let second = quiet(&mut second);
    let (kind, error) = refused(second.group(&group).spawn());
    assert_eq!((kind, &error.code), (ErrorKind::QuotaExceeded, &ErrorCode::LimitReached));
    assert_eq!(error.stage, Stage::Attribute("group".into()), "{error}");
    group.set_pids_max(Limit::Max).expect("there is a controller");
    assert!(second.status().expect("there is room").success());
}
