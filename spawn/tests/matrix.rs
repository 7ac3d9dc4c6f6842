//! `docs/posix.md` and the tests name the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The first cells of the table's rows, and the second ones.
fn rows() -> Vec<(&'static str, &'static str)> {
    let rows = include_str!("../../docs/posix.md").lines();
    let cells = rows.filter_map(|row| {
        let cells = row.strip_prefix("| ")?.strip_suffix(" |")?;
        let (id, rest) = cells.split_once(" | ")?;
        // The third one is for the guests' tests to check.
        let (what, guest) = rest.split_once(" | ")?;
        let is_id = id.chars().next()?.is_uppercase() && !id.contains(' ');
        let is_id = is_id && id.chars().all(|c| !c.is_lowercase());
        let is_row = guest.starts_with('`') || guest.starts_with("not ");
        (is_id && is_row && !guest.contains(" | ")).then_some((id, what))
    });
    cells.collect()
}

/// What the names of an id's tests begin with.
fn prefix(id: &str) -> String {
    id.to_lowercase().replace('-', "_") + "_"
}

/// Whether a test's name begins with something like an id.
fn has_id(name: &str) -> bool {
    let families = "sp ch_ sid_ fd_ cg_ pf_ gi_ pm_ ex fk_ fn_ xp_ bz g";
    let mut families = families.split(' ');
    name.starts_with("rl_")
        || families.any(|family| {
            let rest = name.strip_prefix(family);
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
}

/// The names of the functions behind `#[test]`.
fn tests() -> BTreeSet<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        for behind in text.split("#[test]\n").skip(1) {
            let line = behind.lines().find_map(|line| line.strip_prefix("fn "));
            let name = line.unwrap().split('(').next().unwrap();
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn the_table_and_the_tests_are_the_same() {
    let mut named = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (id, what) in rows() {
        assert!(ids.insert(id), "{id} is there twice");
        match what.strip_prefix('`').and_then(|what| what.strip_suffix('`')) {
            Some(name) => {
                assert!(name.starts_with(&prefix(id)), "{id} names {name}");
                named.insert(name.to_owned());
            }
            None => assert!(what.starts_with("not offered, because "), "{id}"),
        }
    }
    assert!(ids.len() > 90, "{}", ids.len());
    let tests: BTreeSet<String> = tests().into_iter().filter(|name| has_id(name)).collect();
    assert_eq!(tests, named);
}
