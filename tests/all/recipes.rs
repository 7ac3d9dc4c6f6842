//! The recipes of `docs/granting-access.md` do what they say.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use offspring::policy::Policy;
use offspring_tests::*;
use wasmtime_wasi::FsPerms::ReadWrite;

use crate::place::Place;
use crate::run::{PATH, Run};

const DOCUMENT: &str = include_str!("../../docs/granting-access.md");

/// The policy under this heading.
fn recipe(heading: &str) -> String {
    let (_, section) = DOCUMENT.split_once(&format!("\n### {heading}\n")).expect(heading);
    let section = section.split("\n### ").next().unwrap();
    let (_, block) = section.split_once("```toml\n").expect(heading);
    block.split("```").next().unwrap().to_owned()
}

/// Where a program is that not every machine has; else the test is skipped.
fn found(test: &str, program: &str) -> bool {
    let found = PATH.split(':').any(|directory| Path::new(directory).join(program).exists());
    if !found {
        println!("SKIPPED {test}: no {program} here");
    }
    found
}

/// What the guest prints, with `root` as its `/src`.
fn prints(policy: &str, root: &Path, directory: Option<&str>, args: &[&str]) -> String {
    let run = Run::new(POLICY_RECIPE).policy_file(policy).dir(root, "/src", ReadWrite);
    let run = match directory {
        Some(directory) => run.env("DIRECTORY", directory),
        None => run,
    };
    let ready = run.args(args).ready();
    let printed = ready.stdout();
    ready.sync().success();
    printed.text()
}

/// The guest by itself: the recipes below are what it is for.
#[test]
pub fn policy_recipe() {
    let policy = "[program.echo]\npath = \"echo\"\nargs = [\"a\"]\nstdio = [\"piped\"]";
    let place = Place::new();
    assert_eq!(prints(policy, place.root(), None, &["run", "echo", "a"]), "a\nexit status: 0\n");
}

fn git(root: &Path, args: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(root).args(args).env("PATH", PATH).env("HOME", root);
    git.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")]);
    for who in ["GIT_AUTHOR", "GIT_COMMITTER"] {
        git.env(format!("{who}_NAME"), "A").env(format!("{who}_EMAIL"), "a@example.org");
        git.env(format!("{who}_DATE"), "2026-01-02T03:04:05Z");
    }
    let output = git.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// What the recipe for git begins with, and some more.
fn all<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["--no-pager", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false"];
    [&fixed[..], rest].concat()
}

#[test]
fn recipe_git() {
    if !found("recipe_git", "git") {
        return;
    }
    let place = Place::new();
    let root = place.root();
    fs::write(place.path("a.txt"), "a").unwrap();
    git(root, &["init", "-q", "."]);
    git(root, &["add", "a.txt"]);
    git(root, &["commit", "-q", "-m", "first"]);
    let policy = recipe("git");
    let in_src =
        |args: &[&str]| prints(&policy, root, Some("/src"), &[&["run", "git"], args].concat());
    let log = ["log", "-1", "--format=%at %s", "--"];
    assert_eq!(in_src(&all(&log)), "1767323045 first\nexit status: 0\n");
    assert_eq!(
        in_src(&all(&[&log[..], &["a.txt"]].concat())),
        "1767323045 first\nexit status: 0\n"
    );
    assert_eq!(in_src(&all(&["log", "--format=%s", "--", "missing"])), "exit status: 0\n");
    for (args, says) in [
        (all(&["push"]), "argument 6 of `git` may not be `push`; allowed: `log`"),
        (all(&["log", "--output=/src/x"]), "may not be `--output=/src/x`"),
        (all(&["log", "-c", "core.pager=sh"]), "may not be `-c`"),
        (vec!["log"], "argument 1 of `git` may not be `log`; allowed: `--no-pager`"),
        (all(&["log", "--", "../x"]), "Argument(7): argument 8, `../x`, lies outside"),
        (
            all(&["log", "--", "/etc/passwd"]),
            "Argument(7): argument 8, `/etc/passwd`, lies outside",
        ),
    ] {
        let printed = in_src(&args);
        assert!(printed.contains(says), "{args:?} {printed}");
    }
}

#[test]
fn recipe_compiler() {
    if !found("recipe_compiler", "cc") {
        return;
    }
    let place = Place::new();
    fs::write(place.path("a.c"), "int answer(void) { return 42; }\n").unwrap();
    fs::write(place.path("bad.c"), "int answer(void) { return }\n").unwrap();
    let policy = recipe("a compiler");
    let cc = |args: &[&str]| {
        prints(&policy, place.root(), None, &[&["run", "cc", "-pipe", "-c"], args].concat())
    };
    assert_eq!(cc(&["-O2", "-Wall", "-std=c11", "-o", "/src/a.o", "/src/a.c"]), "exit status: 0\n");
    assert!(fs::metadata(place.path("a.o")).unwrap().len() > 0);
    assert_eq!(cc(&["-o", "/src/bad.o", "/src/bad.c"]), "exit status: 1\n");
    assert!(!place.path("bad.o").exists());
    for (args, says) in [
        (&["-wrapper", "sh", "-o", "/src/a.o", "/src/a.c"][..], "may not be `-wrapper`"),
        (&["-B/src", "-o", "/src/a.o", "/src/a.c"], "may not be `-B/src`"),
        (&["-o", "/src/a.o", "@/src/a.c"], "Argument(4): argument 5, `@/src/a.c`, lies outside"),
        (&["-o", "/tmp/a.o", "/src/a.c"], "Argument(3): argument 4, `/tmp/a.o`, lies outside"),
    ] {
        let printed = cc(args);
        assert!(printed.contains(says), "{args:?} {printed}");
    }
}

#[test]
fn recipe_imagemagick() {
    if !found("recipe_imagemagick", "convert") {
        return;
    }
    let place = Place::new();
    fs::write(place.path("in.ppm"), b"P6 2 2 255\n\0\0\0\xff\xff\xff\0\0\0\xff\xff\xff").unwrap();
    let policy = recipe("ImageMagick");
    let convert =
        |args: &[&str]| prints(&policy, place.root(), None, &[&["run", "convert"], args].concat());
    let version = Command::new("convert").arg("-version").env("PATH", PATH).output().unwrap();
    if version.stdout.starts_with(b"Version: ImageMagick") {
        let converted = convert(&["/src/in.ppm", "-resize", "4x4", "/src/out.ppm"]);
        assert_eq!(converted, "exit status: 0\n");
        assert!(fs::read(place.path("out.ppm")).unwrap().starts_with(b"P6\n4 4\n"));
    } else {
        println!("SKIPPED recipe_imagemagick: convert is not ImageMagick's here; only denials");
    }
    for (args, says) in [
        (
            &["msl:/src/in.ppm", "-resize", "4x4", "/src/out.ppm"][..],
            "Argument(0): argument 1, `msl:/src/in.ppm`, lies outside",
        ),
        (&["@/src/in.ppm", "-resize", "4x4", "/src/out.ppm"], "lies outside"),
        (&["/src/in.ppm", "-write", "/src/x", "/src/out.ppm"], "may not be `-write`"),
        (&["/src/in.ppm", "-resize", "@x", "/src/out.ppm"], "may not be `@x`"),
    ] {
        let printed = convert(args);
        assert!(printed.contains(says), "{args:?} {printed}");
    }
}

/// With a server of a few lines in place of one that not every machine has.
#[test]
fn recipe_language_server() {
    let place = Place::new();
    let programs = Place::new();
    let server = programs.program(
        "server",
        "#!/bin/sh\n\
         while IFS= read -r head; do\n\
           length=${head#Content-Length: }; length=${length%?}\n\
           read -r blank\n\
           body=$(dd bs=1 count=\"$length\" 2>/dev/null)\n\
           answer=\"{\\\"to\\\":$body}\"\n\
           printf 'Content-Length: %s\\r\\n\\r\\n%s' \"${#answer}\" \"$answer\"\n\
         done\n",
    );
    let policy = recipe("a language server");
    let policy = policy.replace(
        "path = \"rust-analyzer\"",
        &format!("path = {server:?}\nenv = {{ PATH = \"{PATH}\" }}"),
    );
    assert!(policy.contains("server\""), "{policy}");
    let printed = prints(&policy, place.root(), Some("/src"), &["talk", "language-server"]);
    let answers = ["initialize", "hover", "shutdown"]
        .map(|method| format!("{{\"to\":{{\"method\":\"{method}\"}}}}\n"));
    assert_eq!(printed, format!("{}exit status: 0\n", answers.concat()));
    let denied = prints(&policy, place.root(), None, &["run", "language-server", "--version"]);
    assert!(denied.contains("may be started without arguments only"), "{denied}");
}

#[test]
fn recipe_shell() {
    let place = Place::new();
    for name in ["a", "b"] {
        fs::write(place.path(name), "x\n").unwrap();
    }
    let policy = recipe("a shell, and why not");
    let sh = |args: &[&str]| {
        prints(&policy, place.root(), Some("/src"), &[&["run", "count"], args].concat())
    };
    assert_eq!(sh(&["-c", "cat -- * | wc -l"]).trim_start(), "2\nexit status: 0\n");
    for args in [&["-c", "id"][..], &["-c", "cat -- * | wc -l", "x"], &[], &["-s"]] {
        let printed = sh(args);
        assert!(printed.starts_with("Policy(\"args\")"), "{args:?} {printed}");
    }
}

/// Every policy in the documents is one.
#[test]
fn every_policy_of_the_documents_is_read() {
    let documents = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut count = 0;
    let readme = documents.join("../README.md");
    let entries = fs::read_dir(&documents).unwrap().map(|entry| entry.unwrap().path());
    for path in entries.chain([readme]).filter(|path| path.extension().is_some_and(|it| it == "md"))
    {
        let text = fs::read_to_string(&path).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if !block.contains("[program.") {
                continue;
            }
            count += 1;
            Policy::parse(&path.display().to_string(), block)
                .unwrap_or_else(|error| panic!("{error}"));
        }
    }
    assert!(count >= 7, "{count}");
}
