//! `docs/attacks.md` names the tests, and they name it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The advisories that the table is of. One that is missing there is no longer
/// shown.
const ADVISORIES: [&str; 18] = [
    "CVE-2021-21261",
    "CVE-2024-24576",
    "CVE-2024-27933",
    "CVE-2024-32462",
    "CVE-2024-42472",
    "CVE-2024-43402",
    "CVE-2025-31477",
    "CVE-2026-21711",
    "CVE-2026-21715",
    "CVE-2026-22864",
    "CVE-2026-27190",
    "CVE-2026-27195",
    "CVE-2026-27572",
    "CVE-2026-32260",
    "CVE-2026-34078",
    "CVE-2026-49401",
    "CVE-2026-49402",
    "GHSA-852m-cvvp-9p4w",
];

/// The rows: a number, where it was seen, and the tests.
fn rows() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
    let document = include_str!("../../../docs/attacks.md");
    let rows = document.lines().filter_map(|line| {
        let cells = line.strip_prefix("| A")?.strip_suffix(" |")?;
        let cells: Vec<&str> = cells.split(" | ").collect();
        let [number, _, seen, tests] = cells[..] else { panic!("four cells: {line}") };
        let tests = tests.split('`').skip(1).step_by(2).collect();
        Some((number, seen, tests))
    });
    rows.collect()
}

/// Where a test is: `all::attack::words::attack_words`.
fn file(test: &str) -> (PathBuf, &str) {
    let (path, name) = test.rsplit_once("::").unwrap();
    let (of, path) = path.split_once("::").unwrap();
    let directory = match of {
        "all" => "tests/all",
        "spawn" => "spawn/tests",
        "cli" => "cli/tests",
        "host" => "host/src",
        _ => panic!("{test} is nowhere"),
    };
    let path = Path::new(ROOT).join(directory).join(path.replace("::", "/"));
    (path.with_extension("rs"), name)
}

/// The tests of a file.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let behind = text.split("#[test]\n").skip(1);
    behind.filter_map(|text| {
        let (_, name) = text.split_once("fn ")?;
        Some(name.split_once("()")?.0)
    })
}

#[test]
fn the_document_and_the_tests_name_the_same() {
    let rows = rows();
    let numbers: Vec<String> = rows.iter().map(|(number, ..)| (*number).to_owned()).collect();
    let expected: Vec<String> = (1..=rows.len()).map(|number| number.to_string()).collect();
    assert_eq!(numbers, expected);
    assert!(rows.len() >= 35, "{} rows", rows.len());

    let mut named = BTreeSet::new();
    for (number, _, tests_of) in &rows {
        assert!(!tests_of.is_empty(), "A{number} has no test");
        for test in tests_of {
            let (path, name) = file(test);
            let text = fs::read_to_string(&path);
            let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            // Rows of a macro are tests, too.
            let is_row = text.contains(&format!("\n    {name} \""));
            let is_test = is_row || tests(&text).any(|found| found == name);
            assert!(is_test, "A{number}: there is no {test}");
            named.insert(*test);
        }
    }
    for entry in fs::read_dir(Path::new(ROOT).join("tests/all/attack")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        for test in tests(&text).filter(|_| module != "document") {
            let test = format!("all::attack::{module}::{test}");
            assert!(named.contains(&*test), "no row names {test}");
        }
    }

    let seen: String = rows.iter().map(|(_, seen, _)| format!("{seen} ")).collect();
    for advisory in ADVISORIES {
        assert!(seen.contains(advisory), "{advisory} is in no row");
    }
}
