//! What a policy refuses, to the guest and to its host.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use offspring::ProcessCtx;
use offspring::policy::Policy;
use offspring_tests::*;
use wasmtime_wasi::FsPerms::{ReadOnly, ReadWrite};

use crate::assert_test_exists;
use crate::isolation::{helper, is_helper};
use crate::place::Place;
use crate::run::{PATH, Run, grant};

for_each_policy_program!(assert_test_exists);

use crate::pinned::policy_pinned;
use crate::recipes::policy_recipe;

#[test]
fn policy_rules() {
    let policy = r#"
        [program.plain]
        path = "true"
        env = { FIXED = "1" }

        [program.chosen]
        path = "true"
        env-allow = ["CHOSEN"]

        [program.elsewhere]
        path = "true"
        cwd = "/usr"

        [program.wide]
        path = "sh"
        args = "any"
        env = { FIXED = "1" }
        env-allow = ["*"]
        cwd = "preopens"
        stdio = ["inherit", "piped", "file"]
        signals = ["TERM"]
        sandbox = { execute = ["/bin", "/usr"] }
    "#;
    let place = Place::new();
    fs::write(place.path("file"), "").unwrap();
    let run = Run::new(POLICY_RULES).policy_file(policy);
    run.dir(place.root(), "/dir", ReadOnly).sync().success();
}

#[test]
fn policy_limits() {
    let policy = r#"
        [program.few]
        path = "cat"
        stdio = ["piped"]
        max-children = 2

        [program.cat]
        path = "cat"
        stdio = ["piped"]

        [limits]
        max-children = 3
    "#;
    Run::new(POLICY_LIMITS).policy_file(policy).sync().success();
}

#[test]
fn policy_args() {
    let policy = r#"
        [program.echo]
        path = "echo"
        stdio = ["piped"]
        args = [
          { one-of = ["log", "show"] },
          { options = [["-n", { integer = { min = 1, max = 10 } }], { prefix = "--format=" }] },
          { value = "any", optional = true },
        ]
    "#;
    Run::new(POLICY_ARGS).policy_file(policy).sync().success();
}

#[test]
fn policy_paths() {
    let policy = r#"
        [program.cat]
        path = "cat"
        args = [{ path = "preopens" }]
        cwd = "preopens"
        file-actions = ["chdir"]
        stdio = ["piped"]

        [program.under]
        path = "cat"
        args = [{ rest = "paths", under = "/dir/sub" }]
        cwd = "preopens"
        stdio = ["piped"]

        [program.touch]
        path = "touch"
        args = ["--", { path = "preopens", access = "write" }]
        cwd = "preopens"

        [program.echo]
        path = "echo"
        args = [{ prefix = "--file=", path = "preopens" }, { path = "preopens" }]
        cwd = "preopens"
        stdio = ["piped"]
    "#;
    let [place, other, outside] = [Place::new(), Place::new(), Place::new()];
    for directory in ["sub", "inner"] {
        fs::create_dir(place.path(directory)).unwrap();
    }
    fs::write(outside.path("secret"), "secret").unwrap();
    let files = [
        (place.path("file"), "file"),
        (place.path("sub/file"), "sub"),
        (place.path("inner/file"), "hidden by another directory"),
        (other.path("file"), "other"),
    ];
    for (path, text) in files {
        fs::write(path, text).unwrap();
    }
    let secret = outside.path("secret");
    let links: [(&str, &Path); 6] = [
        ("absolute", &secret),
        ("directory", outside.root()),
        ("up", "..".as_ref()),
        ("inside", "sub".as_ref()),
        ("to-file", "../file".as_ref()),
        ("magic", "/proc/self/cwd".as_ref()),
    ];
    for (name, target) in links {
        symlink(target, place.path(if name == "to-file" { "sub/to-file" } else { name })).unwrap();
    }
    let run = Run::new(POLICY_PATHS).policy_file(policy);
    let run = run.dir(place.root(), "/dir", ReadWrite).dir(other.root(), "/dir/inner", ReadWrite);
    let run = run.dir(other.root(), "/ro", ReadOnly);
    let roots = [place.root(), other.root()].map(|root| root.to_str().unwrap().to_owned());
    run.args(&[&roots[0], &roots[1]]).sync().success();
    assert!(place.path("new").is_file() && place.path("sub/new").is_file());
    assert!(!other.path("new").exists());
}

#[test]
fn policy_rate() {
    let policy = r#"
        [program.true]
        path = "true"

        [program.rare]
        path = "true"
        spawns-per-second = 1

        [limits]
        spawns-per-second = 1
        spawn-burst = 5
    "#;
    Run::new(POLICY_RATE).policy_file(policy).sync().success();
}

#[test]
fn policy_handles() {
    let policy = r#"
        [program.cat]
        path = "cat"
        stdio = ["piped"]

        [limits]
        max-handles = 50
    "#;
    let run = |way| Run::new(POLICY_HANDLES).policy_file(policy).args(&[way]).sync();
    for way in ["pipes", "children"] {
        run(way).success();
    }
    for way in ["commands", "pollables"] {
        let ended = run(way).trapped();
        let error = format!("{:?}", ended.result.unwrap_err());
        assert!(error.contains("resource table has no free keys"), "{way}: {error}");
    }
}

/// What a host is told of a program or a directory that it cannot grant, with
/// the place in the policy's file.
#[test]
fn what_cannot_be_opened() {
    let place = Place::new();
    fs::write(place.path("plain"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(place.path("plain"), fs::Permissions::from_mode(0o644)).unwrap();
    let root = place.root().to_str().unwrap();
    // The third line, and the column behind `path = ` or `cwd = `.
    let cases = [
        (format!("path = \"{root}/missing\""), 8, "No such file or directory"),
        (format!("path = \"{root}\""), 8, "is a directory"),
        // Also for root, who may execute only what somebody may.
        (format!("path = \"{root}/plain\""), 8, "may not be executed"),
        (format!("path = \"{root}/plain/x\""), 8, "Not a directory"),
        (format!("path = \"true\"\ncwd = \"{root}/missing\""), 7, "No such file or directory"),
        (format!("path = \"true\"\ncwd = \"{root}/plain\""), 7, "Not a directory"),
    ];
    for (lines, column, message) in cases {
        let text = format!("# A policy.\n[program.tool]\n{lines}\n");
        let line = text.lines().count();
        let policy = Policy::parse("dir/policy.toml", &text).unwrap();
        let error = ProcessCtx::builder().policy(policy).build().unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert!(error.contains("`tool`"), "{error}");
        assert!(!error.contains('\n'), "{error}");
        let place = format!("dir/policy.toml:{line}:{column}: ");
        assert!(error.starts_with(&place), "{error}\nis not at {place}");
    }
}

#[test]
fn what_cannot_be_opened_for_a_grant_in_code() {
    let error = ProcessCtx::builder().initial_cwd("/no such directory").build().unwrap_err();
    assert!(error.to_string().contains("/no such directory"), "{error}");
    let twice = ProcessCtx::builder().grant(grant("sh")).grant(grant("sh"));
    let error = twice.build().unwrap_err().to_string();
    assert!(error.contains("`sh` is granted twice"), "{error}");
}

#[test]
fn a_bare_name_that_no_directory_has() {
    let body = || {
        let error = ProcessCtx::builder().grant(grant("no such program")).build();
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no directory of $PATH has an executable"), "{error}");
    };
    if is_helper(&body) {
        return body();
    }
    // A directory that may not be looked into makes another error.
    let output = helper(&body).env("PATH", PATH).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("1 passed"), "{output:?}");
}
