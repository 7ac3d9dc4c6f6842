//! What the host gave: directories and grants.

use offspring_guest::{grants, groups, limits};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use wasip2::filesystem::preopens::get_directories;

/// The repository of a workflow file: the directory that was given to this
/// component and holds the file.
pub fn root(file: &Path) -> PathBuf {
    let names = get_directories().into_iter().map(|(_, name)| name);
    covering(file, names)
}

fn covering(file: &Path, names: impl Iterator<Item = String>) -> PathBuf {
    let file = Path::new("/").join(file);
    names
        .map(|name| Path::new("/").join(name))
        .filter(|name| file.starts_with(name))
        .max_by_key(|name| name.components().count())
        .unwrap_or_else(|| "/".into())
}

/// The grants, as far as they change how a workflow is run.
#[derive(Debug)]
pub struct Host {
    max_children: u32,
    programs: BTreeMap<String, Program>,
}

#[derive(Debug)]
struct Program {
    max_children: Option<u32>,
    cwd: bool,
    /// Where its steps have groups of their own.
    group: Option<String>,
}

impl Host {
    pub fn ask() -> Self {
        let available: BTreeSet<String> =
            groups().into_iter().filter(|group| group.available).map(|group| group.name).collect();
        let programs = grants().into_iter().map(|grant| {
            let group = grant.group.filter(|group| available.contains(group));
            (grant.name, Program { max_children: grant.max_children, cwd: grant.cwd, group })
        });
        Self { max_children: limits().max_children, programs: programs.collect() }
    }

    /// Whether the program may be told where to run.
    pub fn chooses_directory(&self, program: &str) -> bool {
        self.programs.get(program).is_none_or(|program| program.cwd)
    }

    /// The group that the program's steps may have groups of their own in.
    pub fn group_of(&self, program: &str) -> Option<&str> {
        self.programs.get(program)?.group.as_deref()
    }

    /// Whether these programs can be started next to those that live. What can
    /// never be is let through when nothing lives, for the host to explain.
    pub fn has_room(&self, wanted: &[&str], live: &[&str]) -> bool {
        if live.is_empty() {
            return true;
        }
        let fits = |most: Option<u32>, count: usize| {
            most.is_none_or(|most| u32::try_from(count).is_ok_and(|count| count <= most))
        };
        let all = || wanted.iter().chain(live);
        fits(Some(self.max_children), all().count())
            && wanted.iter().all(|name| {
                let most = self.programs.get(*name).and_then(|program| program.max_children);
                fits(most, all().filter(|other| *other == name).count())
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_the_directory_that_holds_the_file() {
        let root = |file: &str, names: &[&str]| {
            covering(Path::new(file), names.iter().map(|&name| name.to_owned()))
        };
        let names = ["/", "/repo", "/repository"];
        assert_eq!(root("/repo/.github/ci.yml", &names), Path::new("/repo"));
        assert_eq!(root("repo/ci.yml", &names), Path::new("/repo"));
        assert_eq!(root("/other/ci.yml", &names), Path::new("/"));
        assert_eq!(root("ci.yml", &["."]), Path::new("/"));
    }

    #[test]
    fn room_is_counted_by_program_and_in_all() {
        let program = |max_children| Program { max_children, cwd: true, group: None };
        let programs = [("sh", Some(2)), ("git", None)];
        let host = Host {
            max_children: 3,
            programs: programs.map(|(name, most)| (name.to_owned(), program(most))).into(),
        };
        assert!(host.has_room(&["sh"], &["sh"]));
        assert!(!host.has_room(&["sh"], &["sh", "sh"]));
        assert!(host.has_room(&["git"], &["sh", "sh"]));
        assert!(!host.has_room(&["git", "git"], &["sh", "sh"]));
        assert!(host.has_room(&["sh", "sh", "sh"], &[]));
        assert!(host.has_room(&["unknown"], &["git"]));
    }
}
