//! The recipes of `docs/granting-access.md` do what they say.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use offspring::ProcessCtx;
use offspring::policy::Policy;
use offspring_tests::*;
use serde_json::Value;
use wasmtime_wasi::FsPerms::ReadWrite;

use crate::ended::Ended;
use crate::isolation::skip;
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

/// Where a program is that not every machine has, and not what stands in for it; else the
/// test is skipped.
fn found(test: &str, program: &str) -> Option<PathBuf> {
    let paths = PATH.split(':').map(|directory| Path::new(directory).join(program));
    let found = paths.into_iter().find(|path| {
        let mut start = [0; 4];
        File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok())
            && start == *b"\x7fELF"
    });
    if found.is_none() {
        skip(test, format_args!("there is no {program} here"));
    }
    found
}

/// Whether children can have a view of their own here; if not, the test is skipped.
fn can_view(test: &str) -> bool {
    let policy = Policy::parse("p.toml", "[program.true]\npath = 'true'\nview = 'guest'").unwrap();
    let built = ProcessCtx::builder().policy(policy).build();
    if let Err(error) = &built {
        skip(test, error);
    }
    built.is_ok()
}

/// How the guest ends, with `root` as its `/src`.
fn ends(policy: &str, root: &Path, directory: Option<&str>, args: &[&str]) -> Ended {
    let run = Run::new(POLICY_RECIPE).policy_file(policy).dir(root, "/src", ReadWrite);
    let run = match directory {
        Some(directory) => run.env("DIRECTORY", directory),
        None => run,
    };
    run.args(args).sync().success()
}

/// What it prints.
fn prints(policy: &str, root: &Path, directory: Option<&str>, args: &[&str]) -> String {
    ends(policy, root, directory, args).stdout
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
    if found("recipe_git", "git").is_none() {
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
    if found("recipe_compiler", "cc").is_none() {
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
    let name = "recipe_imagemagick";
    let Some(program) = found(name, "convert") else { return };
    let version = Command::new(&program).arg("-version").output().unwrap();
    if !version.stdout.starts_with(b"Version: ImageMagick") {
        return skip(name, "what is called convert is not ImageMagick's");
    }
    let place = Place::new();
    fs::write(place.path("in.ppm"), b"P6 2 2 255\n\0\0\0\xff\xff\xff\0\0\0\xff\xff\xff").unwrap();
    fs::write(place.path("in.ps"), "%!PS\n0 0 moveto 9 9 lineto stroke showpage\n").unwrap();
    let policy = recipe("ImageMagick");
    let policy = policy.replace("path = \"convert\"", &format!("path = {program:?}"));
    let own = "sandbox.read = [\"/etc/ImageMagick-6\"]";
    assert!(policy.contains(own) && policy.contains("bin/convert"), "{policy}");
    let ends = |policy: &str, args: &[&str]| {
        ends(policy, place.root(), None, &[&["run", "convert"], args].concat())
    };
    let has_own = Path::new("/etc/ImageMagick-6/policy.xml");
    let policy = match has_own.exists() {
        true => policy,
        false => {
            skip(&format!("{name}, its own policy"), "it has none where Debian puts it");
            policy.replace(own, "")
        }
    };
    let convert = |args: &[&str]| ends(&policy, args).stdout;
    let converted = convert(&["/src/in.ppm", "-resize", "4x4", "/src/out.ppm"]);
    assert_eq!(converted, "exit status: 0\n");
    assert!(fs::read(place.path("out.ppm")).unwrap().starts_with(b"P6\n4 4\n"));
    // Debian's own policy refuses PostScript. Without it, the sandbox refuses what would
    // read that.
    if fs::read_to_string(has_own).is_ok_and(|text| text.contains("rights=\"none\" pattern=\"PS\""))
    {
        let refused = "not allowed by the security policy `PS'";
        let script = ["/src/in.ps", "-resize", "4x4", "/src/out.ps.ppm"];
        for (policy, is_told) in [(&policy, true), (&policy.replace(own, ""), false)] {
            let ended = ends(policy, &script);
            assert!(ended.stdout.starts_with("exit status: 1"), "{ended:?}");
            assert_eq!(ended.stderr.contains(refused), is_told, "{ended:?}");
            assert!(!place.path("out.ps.ppm").exists(), "{ended:?}");
        }
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
    if !can_view("recipe_language_server") {
        return;
    }
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
    let more = format!("env = {{ PATH = \"{PATH}\" }}\nsandbox.execute = [\"/bin\", \"/usr\"]");
    let policy = policy.replace("path = \"clangd\"", &format!("path = {server:?}\n{more}"));
    assert!(policy.contains("server\""), "{policy}");
    let printed = prints(&policy, place.root(), Some("/src"), &["talk", "language-server"]);
    let answers = ["initialize", "hover", "shutdown"]
        .map(|method| format!("{{\"to\":{{\"method\":\"{method}\"}}}}\n"));
    assert_eq!(printed, format!("{}exit status: 0\n", answers.concat()));
    let denied = prints(&policy, place.root(), None, &["run", "language-server", "--version"]);
    assert!(denied.contains("may be started without arguments only"), "{denied}");
}

/// With a real one, to which the guest's files are what they are to the guest.
#[test]
fn recipe_language_server_clangd() {
    let name = "recipe_language_server_clangd";
    let Some(program) = found(name, "clangd").filter(|_| can_view(name)) else { return };
    let (place, outside) = (Place::new(), Place::new());
    fs::write(place.path("known.h"), "/// What is asked for.\nint answer(int question);\n")
        .unwrap();
    fs::write(outside.path("secret.h"), "int secret;\n").unwrap();
    let text = format!(
        "#include <stddef.h>\n#include \"known.h\"\n\
         #if __has_include(\"{}\")\n#error this is outside\n#endif\n\
         size_t length(void) {{ return answer(42) }}\n",
        outside.path("secret.h").display()
    );
    fs::write(place.path("a.c"), text).unwrap();
    let policy = recipe("a language server");
    let policy = policy.replace("path = \"clangd\"", &format!("path = {program:?}"));
    assert!(policy.contains("bin/clangd"), "{policy}");
    let printed = prints(&policy, place.root(), Some("/src"), &["edit", "language-server"]);
    let [wrong, known, status] = printed.lines().collect::<Vec<_>>()[..] else {
        panic!("{printed}")
    };
    let [wrong, known] = [wrong, known].map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert_eq!(wrong["params"]["uri"], "file:///src/a.c");
    let wrong = wrong["params"]["diagnostics"].as_array().unwrap();
    let messages: Vec<_> = wrong.iter().map(|found| found["message"].as_str().unwrap()).collect();
    let [no_sign] = messages[..] else { panic!("{messages:?}") };
    assert!(no_sign.starts_with("Expected ';' after return statement"), "{no_sign}");
    assert!(known["result"]["contents"].to_string().contains("What is asked for"), "{known}");
    assert_eq!(status, "exit status: 0");
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
