//! Cgroups: what needs no controllers runs wherever the host may make any; the
//! limits, where there are controllers too, as in the machine of `cargo vm`.

use std::fs;

use offspring::cgroup::Place;
use offspring::policy::{Grant, GrantGroup, Group, Limits, Policy};
use offspring::{Controller, ProcessCtx};
use offspring_spawn::{Limit, Setting};
use offspring_tests::*;

use crate::assert_test_exists;
use crate::isolation::{isolated, skip};
use crate::run::{Run, grant};
use crate::runtime::everywhere;

for_each_cgroup_program!(assert_test_exists);

/// Whether this machine has what a test needs; if not, it is skipped.
pub fn has(test: &str, controllers: &[Controller]) -> bool {
    let place = match Place::find() {
        Ok(place) => place,
        Err(no_place) => {
            skip(test, no_place);
            return false;
        }
    };
    let missing = controllers.iter().find(|wanted| !place.controllers().enabled().contains(wanted));
    if let Some(controller) = missing {
        skip(test, format_args!("there is no controller {controller}"));
    }
    missing.is_none()
}

fn named(name: &str, group: &str) -> Grant {
    grant(name).group(GrantGroup::Named(group.to_owned()))
}

/// Two groups, and programs that are started in the first one.
fn policy(programs: &[&str]) -> Policy {
    let groups = Policy::new().group(Group::new("build")).unwrap();
    let groups = groups.group(Group::new("other")).unwrap();
    let with = |policy: Policy, name: &&str| policy.grant(named(name, "build")).unwrap();
    programs.iter().fold(groups, with)
}

#[test]
fn cgroup_groups() {
    if has("cgroup_groups", &[]) {
        let limits = Limits { max_groups: 4, ..Limits::default() };
        everywhere(|| Run::new(CGROUP_GROUPS).policy(policy(&["cat"]).limits(limits)));
    }
}

#[test]
fn cgroup_tree() {
    if has("cgroup_tree", &[]) {
        everywhere(|| Run::new(CGROUP_TREE).policy(policy(&["cat", "sh"])));
    }
}

#[test]
fn cgroup_denied() {
    if has("cgroup_denied", &[]) {
        let cat = |name| Grant::permissive(name, "cat");
        everywhere(|| {
            let run = Run::new(CGROUP_DENIED).policy(policy(&["cat"]));
            run.grant(cat("own").group(GrantGroup::Required)).grant(cat("none"))
        });
    }
}

#[test]
fn cgroup_without() {
    let name = "cgroup_without";
    if !has(name, &[]) {
        return;
    }
    match Place::find().unwrap().controllers().enabled().is_empty() {
        true => everywhere(|| Run::new(CGROUP_WITHOUT).policy(policy(&[]))),
        false => skip(name, "there are controllers"),
    }
}

#[test]
fn cgroup_memory() {
    if has("cgroup_memory", &[Controller::Memory]) {
        let group = Group::new("build").setting(Setting::MemoryMax(Limit::At(256 << 20)));
        everywhere(|| {
            let policy = Policy::new().group(group.clone()).unwrap();
            let run = Run::new(CGROUP_MEMORY).policy(policy);
            run.grant(named("dd", "build")).grant(named("cat", "build"))
        });
    }
}

#[test]
fn cgroup_pids() {
    if has("cgroup_pids", &[Controller::Pids]) {
        everywhere(|| Run::new(CGROUP_PIDS).policy(policy(&["sh"])));
    }
}

#[test]
fn cgroup_cpu() {
    if has("cgroup_cpu", &[Controller::Cpu, Controller::Cpuset]) {
        everywhere(|| Run::new(CGROUP_CPU).policy(policy(&["sh"])));
    }
}

/// After the store is gone, so are its groups, and when nobody has any, so is
/// the host's.
#[test]
fn no_group_is_left() {
    isolated(|| {
        if !has("no_group_is_left", &[]) {
            return;
        }
        Run::new(CGROUP_TREE).policy(policy(&["cat", "sh"])).sync().success();
        let place = Place::find().unwrap();
        let path = place.path();
        let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap());
        let groups = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        let names: Vec<_> = groups.map(|group| group.file_name()).collect();
        // One that this process had to move into stays until it ends.
        assert!(names.iter().all(|name| name == "host"), "{names:?}");
        drop(place);
        assert_eq!(path.exists(), !names.is_empty());
    });
}

/// A preferred group that cannot be had is done without; a required one is an
/// error that says where and why.
#[test]
fn what_cannot_be_had_is_an_error_only_where_it_is_required() {
    if !has("what_cannot_be_had_is_an_error_only_where_it_is_required", &[]) {
        return;
    }
    let build = |mode: &str| {
        let text = format!(
            "[program.cat]\npath = 'cat'\ngroup = 'g'\n[group.g]\nmode = '{mode}'\n\
             cpuset-cpus = '8000'\n"
        );
        ProcessCtx::builder().policy(Policy::parse("p.toml", &text).unwrap()).build()
    };
    let error = build("required").unwrap_err().to_string();
    let start = "p.toml:6:15: cannot make cpuset.cpus of the group `g`: cgroup: cpuset.cpus: ";
    assert!(error.starts_with(start), "{error}");
    build("preferred").unwrap();
    let text = "group.g.io-max.'/dev/null'.reads = 1";
    let policy = Policy::parse("p.toml", text).unwrap();
    let error = ProcessCtx::builder().policy(policy).build().unwrap_err().to_string();
    assert!(error.ends_with("/dev/null is no block device"), "{error}");
}
