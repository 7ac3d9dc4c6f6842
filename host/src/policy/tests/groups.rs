//! Groups: what a file says of them, and whom a grant lets choose.

use offspring_spawn::{CpuMax, Device, IoMax, Limit, Setting};

use super::{Request, policy, request};
use crate::plan::PlanGroup;
use crate::policy::*;

const GROUPS: &str = r#"
[group.build]
mode = "preferred"
memory-max = "512M"
memory-high = 1048576
memory-low = 0
swap-max = "max"
oom-group = true
pids-max = 64
cpu-max = "150%"
cpu-weight = 50
cpuset-cpus = "0-1,3"
cpuset-mems = "0"
io-weight = 10000

[group.build.io-max."/dev/sda"]
read-bytes = "10M"
write-bytes = "max"
reads = 5
writes = "max"

[group.empty]
"#;

#[test]
fn everything_as_in_code() {
    let policy = Policy::parse("p.toml", GROUPS).unwrap();
    let [build, empty] = policy.groups() else { panic!("two groups") };
    assert_eq!((build.name(), build.is_required()), ("build", false));
    assert_eq!((empty.name(), empty.is_required()), ("empty", true));
    assert_eq!(empty.settings().count(), 0);
    let settings: Vec<_> = build.settings().map(|(setting, _)| setting.clone()).collect();
    let kernel = [
        Setting::MemoryMax(Limit::At(512 << 20)),
        Setting::MemoryHigh(Limit::At(1 << 20)),
        Setting::MemoryLow(Limit::At(0)),
        Setting::SwapMax(Limit::Max),
        Setting::OomGroup(true),
        Setting::PidsMax(Limit::At(64)),
        Setting::CpuMax(CpuMax::percent(150)),
        Setting::CpuWeight(50),
        Setting::CpusetCpus(vec![0, 1, 3]),
        Setting::CpusetMems(vec![0]),
        Setting::IoWeight(10_000),
    ];
    let max = IoMax {
        device: Device { major: 0, minor: 0 },
        read_bytes: Some(Limit::At(10 << 20)),
        write_bytes: Some(Limit::Max),
        reads: Some(Limit::At(5)),
        writes: Some(Limit::Max),
    };
    let io = GroupSetting::Io { path: "/dev/sda".into(), max };
    let expected: Vec<_> = kernel.into_iter().map(GroupSetting::Kernel).chain([io]).collect();
    assert_eq!(settings, expected);
    let (_, location) = build.settings().next().unwrap();
    assert_eq!(location.unwrap().to_string(), "p.toml:4:14");
}

#[test]
fn mistakes() {
    let number = "must be a whole number from";
    for (line, expected) in [
        (
            "memory-max = '512m'",
            "2:14: `memory-max` must be bytes such as \"512M\", or \"max\", not \"512m\""
                .to_owned(),
        ),
        (
            "memory-max = -1",
            format!("2:14: `memory-max` {number} 0 to 18446744073709551615, not -1"),
        ),
        ("pids-max = 0", format!("2:12: `pids-max` {number} 1 to 18446744073709551615, not 0")),
        (
            "pids-max = 'many'",
            "2:12: `pids-max` must be a whole number, or \"max\", not \"many\"".to_owned(),
        ),
        ("cpu-weight = 10001", format!("2:14: `cpu-weight` {number} 1 to 10000, not 10001")),
        (
            "cpu-max = 150",
            "2:11: `cpu-max` must be a part of one processor such as \"150%\", or \"max\", not 150"
                .to_owned(),
        ),
        (
            "cpuset-cpus = '3-1'",
            "2:15: `cpuset-cpus` must be numbers such as \"0-3,5\", not \"3-1\"".to_owned(),
        ),
        ("oom-group = 1", "2:13: `oom-group` must be true or false, not 1".to_owned()),
        (
            "mode = 'maybe'",
            "2:8: `mode` must be \"required\" or \"preferred\", not \"maybe\"".to_owned(),
        ),
        ("memory_max = 1", "2:1: unknown key `memory_max`, did you mean `memory-max`?".to_owned()),
        ("io-max.sda.reads = 1", "2:8: `sda` must be the path of a block device".to_owned()),
        (
            "io-max.'/dev/sda'.read = 1",
            "2:19: unknown key `read`, did you mean `reads`?".to_owned(),
        ),
    ] {
        let error = Policy::parse("p", &format!("[group.g]\n{line}")).unwrap_err();
        assert_eq!(error.to_string(), format!("p:{expected}"), "{line}");
    }
    for name in ["required", "preferred"] {
        let error = Policy::parse("p", &format!("[group.{name}]")).unwrap_err().to_string();
        let rule = "a group cannot be called";
        assert_eq!(error, format!("p:1:8: {rule} `{name}`, which has a meaning"));
    }
    for name in ["''", "'a/b'", "'.'", "'a b'", "'é'"] {
        let error = Policy::parse("p", &format!("[group.{name}]")).unwrap_err().to_string();
        assert!(error.starts_with("p:1:8: a group's name has 1 to 64 letters"), "{error}");
    }
    assert!(Policy::new().group(Group::new("a")).unwrap().group(Group::new("a")).is_err());
}

#[test]
fn whose_choice_it_is() {
    let named = |name: &str| GrantGroup::Named(name.to_owned());
    let granted = |name: &str| Ok(PlanGroup::Granted(name.to_owned()));
    let table = [
        (GrantGroup::Unset, None, Ok(PlanGroup::None)),
        (GrantGroup::Required, None, Ok(PlanGroup::Own)),
        (GrantGroup::Preferred, None, Ok(PlanGroup::Own)),
        (named("a"), None, granted("a")),
        (named("a"), Some("a"), Ok(PlanGroup::Guest)),
        (named("a"), Some("b"), Err("`git` may be started in `a` and beneath it only")),
        (GrantGroup::Unset, Some("a"), Err("the group of `git` may not be chosen")),
        (GrantGroup::Required, Some("a"), Err("the group of `git` may not be chosen")),
        (GrantGroup::Preferred, Some("a"), Err("the group of `git` may not be chosen")),
    ];
    for (group, chosen, expected) in table {
        let policy = policy(Grant::new("git", "/usr/bin/git").group(group.clone()));
        let request = Request { group: chosen.map(str::to_owned), ..request("git") };
        let planned = policy.check(&request).map(|plan| plan.group);
        let planned = planned.map_err(|denied| {
            assert_eq!(denied.rule, Rule::Group);
            denied.message
        });
        assert_eq!(planned, expected.map_err(str::to_owned), "{group:?} {chosen:?}");
    }
}

#[test]
fn a_grant_names_a_group_that_is_there() {
    let policy = policy(Grant::new("git", "git").group(GrantGroup::Named("a".into())));
    let error = policy.check_groups().unwrap_err();
    assert_eq!(error.to_string(), "there is no group `a`");
    assert_eq!(policy.group(Group::new("a")).unwrap().check_groups(), Ok(()));
    // Also where the group stands behind.
    let text = "program.x = { path = 'x', group = 'g' }\n[group.g]";
    let merged = Policy::parse("p", text).unwrap().merge(Policy::new()).unwrap();
    assert_eq!(merged.groups().len(), 1);
}

#[test]
fn groups_for_those_who_fork() {
    let text = "fork = { max = 1 }\n[program.a]\npath = 'a'\ngroup = 'g'\n[group.g]";
    let policy = Policy::parse("p", text).unwrap();
    assert_eq!((policy.get_forks(), policy.groups().len()), (Some(1), 1));
}

#[test]
fn what_is_in_a_group_does_not_live_on() {
    let grant = |group| Grant::new("a", "a").detach(true).group(group);
    let request = Request { detach: true, ..request("a") };
    let free = policy(grant(GrantGroup::Unset)).check(&request).unwrap();
    assert!(free.detach);
    let denied = policy(grant(GrantGroup::Preferred)).check(&request).unwrap_err();
    assert_eq!(denied.rule, Rule::Detach);
    assert_eq!(denied.message, "`a` may not live on: it is in a group, which ends");
}
