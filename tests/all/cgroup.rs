//! Cgroups: what needs no controllers runs wherever the host may make any; the
//! limits, where there are controllers too, as in the machine of `cargo vm`.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use offspring::cgroup;
use offspring::policy::{Grant, GrantGroup, Group, Limits, Policy};
use offspring::{Controller, ProcessCtx};
use offspring_spawn::{Cgroup, CgroupMount, Device, IoMax, Limit, Setting};
use offspring_tests::*;

use crate::assert_test_exists;
use crate::isolation::{isolated, skip};
use crate::place::Place;
use crate::run::{Run, grant, sandbox};
use crate::runtime::everywhere;

for_each_cgroup_program!(assert_test_exists);

/// Whether this machine has what a test needs; if not, it is skipped.
pub fn has(test: &str, controllers: &[Controller]) -> bool {
    let place = match cgroup::Place::find() {
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
fn cgroup_depth() {
    if has("cgroup_depth", &[]) {
        everywhere(|| Run::new(CGROUP_DEPTH).policy(policy(&["sh"])));
    }
}

#[test]
fn cgroup_limits() {
    if has("cgroup_limits", &Controller::ALL) {
        let own = Place::new();
        // What its cgroup says of itself.
        let sandbox = sandbox().read("/sys/fs/cgroup");
        everywhere(|| {
            let sh = named("sh", "build").sandbox(sandbox.clone());
            let run = Run::new(CGROUP_LIMITS).policy(policy(&[])).grant(sh);
            run.args(&[own.root().to_str().unwrap()])
        });
    }
}

#[test]
fn cgroup_denied() {
    if has("cgroup_denied", &[]) {
        let cat = |name| Grant::permissive(name, "cat").sandbox(sandbox());
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
    match cgroup::Place::find().unwrap().controllers().enabled().is_empty() {
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
        let cpus = thread::available_parallelism().unwrap().to_string();
        everywhere(|| Run::new(CGROUP_CPU).policy(policy(&["cat", "sh"])).args(&[&cpus]));
    }
}

#[test]
fn cgroup_io() {
    let name = "cgroup_io";
    if !has(name, &[Controller::Io]) {
        return;
    }
    let Some((path, [major, minor])) = block_device() else {
        return skip(name, "there is no block device that may be read");
    };
    let device = Device { major: 0, minor: 0 };
    let read_bytes = Some(Limit::At(64 << 10));
    let max = IoMax { device, read_bytes, write_bytes: None, reads: None, writes: None };
    let policy = Policy::new().group(Group::new("build").io_max(&path, max)).unwrap();
    let policy = policy.group(Group::new("other")).unwrap();
    let dd = |name, group: &str| {
        let grant = Grant::permissive(name, "dd").sandbox(sandbox().read(&path));
        grant.group(GrantGroup::Named(group.to_owned()))
    };
    let run = Run::new(CGROUP_IO).policy(policy);
    let run = run.grant(dd("dd", "build")).grant(dd("dd-other", "other"));
    run.args(&[&major, &minor, path.to_str().unwrap()]).sync().success();
}

/// A device that this user may read, and its numbers.
fn block_device() -> Option<(PathBuf, [String; 2])> {
    let devices = fs::read_dir("/sys/block").ok()?.flatten();
    devices.map(|device| device.path()).find_map(|device| {
        let path = Path::new("/dev").join(device.file_name()?);
        File::open(&path).ok()?;
        let numbers = fs::read_to_string(device.join("dev")).ok()?;
        let (major, minor) = numbers.trim().split_once(':')?;
        Some((path, [major.to_owned(), minor.to_owned()]))
    })
}

/// Whom the host is when it must not be root.
const USER: u32 = 54_321;

/// Runs a guest in a host that is an ordinary user with a cgroup of its own, in
/// which root does what the guest asks for.
fn with_root_outside(test: &str, parts: &[&str]) {
    let own = match Cgroup::own() {
        Ok(own) if rustix::process::geteuid().is_root() => own,
        _ => return skip(test, "only root can give a cgroup and take it again"),
    };
    let name = format!("offspring-{test}-{}", std::process::id());
    let Ok(group) = own.create(&name) else {
        return skip(test, "cannot make a cgroup");
    };
    let path = CgroupMount::own().unwrap().path().join(&name);
    for file in ["", "cgroup.procs", "cgroup.subtree_control"] {
        chown(path.join(file), Some(USER), Some(USER)).unwrap();
    }
    group.join().unwrap();
    let place = Place::new();
    // Compiled before, by this thread.
    let guest = Run::new(CGROUP_OUTSIDE).policy(policy(&["cat"])).allow(&["sh"]);
    let guest = guest.args(&[&[place.root().to_str().unwrap()], parts].concat());
    // One thread is the user; the others stay root.
    let (sender, printed) = channel();
    let guest = thread::spawn(move || {
        let user = rustix::process::Uid::from_raw(USER);
        rustix::thread::set_thread_res_uid(user, user, user).unwrap();
        let ready = guest.ready();
        sender.send(ready.stdout()).unwrap();
        ready.sync()
    });
    let printed = printed.recv().unwrap();
    let mut done = 0;
    while !guest.is_finished() {
        if let Some(asked) = printed.text().lines().nth(done) {
            meddle(&path, asked);
            fs::write(place.path(asked), "").unwrap();
            done += 1;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let ended = guest.join().unwrap();
    own.join().unwrap();
    own.remove_tree(&name, Duration::from_secs(60)).unwrap();
    ended.success();
    assert_eq!(done > 0, !parts.is_empty());
}

/// Does to a group of the guest's what it asks for: `take a`.
fn meddle(beneath: &Path, asked: &str) {
    let (what, name) = asked.split_once(' ').unwrap();
    let group = find(beneath, &format!("group.{name}")).unwrap();
    let files = || fs::read_dir(&group).unwrap().map(|entry| entry.unwrap().path());
    let give =
        |user| files().chain([group.clone()]).for_each(|path| chown(path, user, user).unwrap());
    match what {
        "take" => give(Some(0)),
        "give" => give(Some(USER)),
        "remove" => fs::remove_dir(&group).unwrap(),
        "limit" => fs::write(group.join("cgroup.max.descendants"), "0").unwrap(),
        "thread" => fs::write(group.join("cgroup.type"), "threaded").unwrap(),
        _ => panic!("{asked}"),
    }
}

/// A directory of this name, somewhere beneath another.
fn find(beneath: &Path, name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(beneath).ok()?.flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir()).find_map(|path| match path.file_name()? == name {
        true => Some(path),
        false => find(&path, name),
    })
}

#[test]
fn cgroup_outside() {
    isolated(|| {
        with_root_outside("cgroup_outside", &["not-delegated", "gone", "limit-reached"]);
    });
}

#[test]
fn cgroup_outside_threaded() {
    isolated(|| {
        let name = "cgroup_outside_threaded";
        // Controllers such as memory are for groups of processes only.
        let controllers = Cgroup::own().and_then(|own| own.controllers());
        match controllers.is_ok_and(|controllers| controllers.is_empty()) {
            true => with_root_outside(name, &["invalid-domain"]),
            false => skip(name, "there are controllers"),
        }
    });
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
        let place = cgroup::Place::find().unwrap();
        let path = place.path();
        let entries = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap());
        let groups = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        let names: Vec<_> = groups.map(|group| group.file_name()).collect();
        // The one that this process had to move into is there as long as the place.
        assert!(names.iter().all(|name| name == "host"), "{names:?}");
        drop(place);
        assert!(!path.exists());
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
            "[program.cat]\npath = 'cat'\ngroup = 'g'\nsandbox = 'none'\n[group.g]\n\
             mode = '{mode}'\ncpuset-cpus = '8000'\n"
        );
        ProcessCtx::builder().policy(Policy::parse("p.toml", &text).unwrap()).build()
    };
    let error = build("required").unwrap_err().to_string();
    let start = "p.toml:7:15: cannot make cpuset.cpus of the group `g`: cgroup: cpuset.cpus: ";
    assert!(error.starts_with(start), "{error}");
    build("preferred").unwrap();
    let text = "group.g.io-max.'/dev/null'.reads = 1";
    let policy = Policy::parse("p.toml", text).unwrap();
    let error = ProcessCtx::builder().policy(policy).build().unwrap_err().to_string();
    assert!(error.ends_with("/dev/null is no block device"), "{error}");
}
