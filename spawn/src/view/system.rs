//! What programs need to run, besides what they work on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Entry, MACHINE_MAX};
use crate::sandbox::runtime;

/// Names in `/dev` that lead to what the process has open.
const STREAMS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// All of it that this system has: what a [sandbox](crate::Sandbox) calls the run-time
/// set, but for what is in `/proc`, which the view makes as a whole.
pub(super) fn entries() -> Vec<Entry> {
    let is_device = |path: &&&str| path.starts_with("/dev/");
    let is_process = |path: &&&str| path.starts_with("/proc/");
    let files = runtime::READ.iter().filter(|path| !is_device(path) && !is_process(path));
    let devices = runtime::READ.iter().filter(is_device).chain(runtime::WRITE);
    let devices = devices.filter(|path| Path::new(path).exists());
    let devices = devices.map(|path| Entry::Device(relative(path)));
    let streams = STREAMS.iter();
    let streams = streams.map(|(name, to)| Entry::Link { at: relative(name), to: to.into() });
    files.filter_map(|path| entry(relative(path))).chain(devices).chain(streams).collect()
}

/// What `/proc` has of the run-time set: what the machine is, whatever processes are
/// shown beside it. Files, and one directory.
pub(super) fn of_machine() -> BTreeSet<PathBuf> {
    let names = runtime::READ.iter().filter_map(|path| path.strip_prefix("/proc/"));
    let tops = names.filter_map(|name| name.split('/').next());
    let found = tops.map(|top| Path::new("/proc").join(top)).filter(|path| path.exists());
    let found: BTreeSet<PathBuf> = found.collect();
    debug_assert!(found.len() <= MACHINE_MAX, "{found:?}");
    found
}

fn relative(path: &str) -> PathBuf {
    path.trim_start_matches('/').into()
}

/// A link to what is in `/usr` stays one; one to elsewhere, where the view has
/// nothing, is replaced by what it leads to.
fn entry(at: PathBuf) -> Option<Entry> {
    let path = Path::new("/").join(&at);
    if fs::symlink_metadata(&path).ok()?.is_symlink() {
        let to = fs::read_link(&path).ok()?;
        if path.parent()?.join(&to).starts_with("/usr") {
            return Some(Entry::Link { at, to });
        }
    }
    let found = fs::metadata(&path).ok()?;
    Some(if found.is_dir() { Entry::Directory(at) } else { Entry::File(at) })
}
