//! What a guest says: names, arguments, variables, and all else that a grant could
//! allow.

use std::fs;

use offspring_tests::*;
use wasmtime_wasi::FsPerms::{ReadOnly, ReadWrite};

use super::{recorded, unharmed};
use crate::isolation::isolated;
use crate::place::Place;
use crate::run::{Run, grant};

#[test]
pub fn attack_words() {
    let policy = r#"
        [program.tool]
        path = "echo"
        args = ["--safe", "status"]
        stdio = ["null", "piped"]

        [program.choice]
        path = "echo"
        args = [{ one-of = ["log", "show"] }]
        stdio = ["null", "piped"]

        [program.start]
        path = "echo"
        args = [{ prefix = "--format=" }]
        stdio = ["null", "piped"]

        [program.value]
        path = "echo"
        args = [{ value = "any" }]
        stdio = ["null", "piped"]

        [program.number]
        path = "echo"
        args = [{ integer = { min = 1, max = 9 } }]
        stdio = ["null", "piped"]

        [program.rest]
        path = "sh"
        args = ["-c", "printf '<%s>' \"$@\"", "sh", { rest = "values" }]
        stdio = ["null", "piped"]

        [program.path]
        path = "cat"
        args = [{ path = "preopens" }]
        cwd = "preopens"
        stdio = ["null", "piped"]
    "#;
    isolated(|| {
        let place = Place::new();
        fs::write(place.path("-rf"), "an option by its name").unwrap();
        std::os::unix::fs::symlink("/", place.path("out")).unwrap();
        unharmed(|| {
            let run = Run::new(ATTACK_WORDS).policy_file(policy);
            recorded(run.dir(place.root(), "/dir", ReadWrite));
        });
    });
}

/// The names in the list of those that are never a guest's; any text is a word.
fn never() -> Vec<String> {
    let source = include_str!("../../../host/src/policy/never.rs");
    let (_, list) = source.split_once("const NEVER").unwrap();
    let (list, _) = list.split_once("];").unwrap();
    let mut names = Vec::new();
    // Each group is a reason and the names, and a text goes over lines by `\`.
    let texts = list.split('"').skip(1).step_by(2);
    for text in texts.skip(1).step_by(2) {
        let words = text.split_whitespace().filter(|word| *word != "\\");
        names.extend(words.map(|word| word.replace('*', "X")));
    }
    names
}

#[test]
pub fn attack_variables() {
    let policy = r#"
        [program.wide]
        path = "env"
        env = { FIXED = "host's" }
        env-allow = ["*"]
        stdio = ["null", "piped"]

        [program.start]
        path = "env"
        env-allow = ["A_*"]
        stdio = ["null", "piped"]

        [program.plain]
        path = "env"
        stdio = ["null", "piped"]
    "#;
    let names = never();
    for name in ["LD_X", "GLIBC_TUNABLES", "BASH_X", "IFS", "PYTHONX", "GIT_X_COMMAND", "CC"] {
        assert!(names.iter().any(|never| never == name), "{name}: {names:?}");
    }
    assert!(names.len() > 150 && names.len() < 320, "{}", names.len());
    isolated(|| {
        let names = never();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        unharmed(|| {
            let own: Vec<_> = std::env::vars_os().collect();
            let run = Run::new(ATTACK_VARIABLES).policy_file(policy).env("LD_PRELOAD", "/dir/evil");
            recorded(run.args(&names));
            assert!(std::env::vars_os().eq(own), "a guest's variable is the host's");
        });
    });
}

#[test]
pub fn attack_scopes() {
    let policy = r#"
        [program.plain]
        path = "true"

        [program.cat]
        path = "cat"
        stdio = ["null", "piped"]
    "#;
    isolated(|| {
        let place = Place::new();
        fs::write(place.path("file"), "").unwrap();
        unharmed(|| {
            let run = Run::new(ATTACK_SCOPES).policy_file(policy);
            recorded(run.dir(place.root(), "/dir", ReadOnly));
        });
    });
}

#[test]
pub fn attack_answers() {
    isolated(|| {
        let place = Place::new();
        let text = place.program("text", "not a program\n");
        unharmed(|| {
            let text = offspring::policy::Grant::permissive("text", &text);
            let plain = offspring::policy::Grant::new("plain", "true");
            let run = Run::new(ATTACK_ANSWERS).grant(grant("sh")).grant(text).grant(plain);
            recorded(run);
        });
    });
}
