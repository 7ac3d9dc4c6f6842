//! Says words that look like those which are allowed: other spellings, patterns,
//! options, and what a shell would take for more than a word.

use offspring_guest::Stage;
use test_programs::attack::{command, denied, stopped};
use test_programs::text;

fn main() {
    programs();
    literals();
    choices();
    options();
    numbers();
    paths();
    characters();
}

/// Only the name of a grant is one: no path, no search, no spelling of it.
fn programs() {
    let names = [
        "",
        "TOOL",
        "Tool",
        "tool ",
        " tool",
        "tool\n",
        "\ttool",
        "tool.exe",
        "tool.bat",
        "tool.BAT",
        "tool/",
        "./tool",
        "../tool",
        "/tool",
        "/bin/sh",
        "sh",
        "echo",
        "too",
        "tool\u{301}",
        "too\u{217c}",
        "\u{ff54}ool",
        "t\u{43e}\u{43e}l",
        "to\u{200b}ol",
        "tool\u{202e}",
        "*",
        "t*l",
        "tool|sh",
        "^tool$",
        "tool;sh",
        "tool sh",
        "tool\nsh",
        "$(sh)",
        "`sh`",
        "-c",
        "--",
        "0",
        "1",
    ];
    for name in names {
        denied("program", name, command(name, &["--safe", "status"]));
    }
    stopped(Stage::Request, None, "to\0ol", command("to\0ol", &[]).spawn());
}

/// What is fixed is compared, and never put in place of what was said.
fn literals() {
    let wrong: [&[&str]; 12] = [
        &[],
        &["--safe"],
        &["status"],
        &["status", "--safe"],
        &["--unsafe", "status"],
        &["--safe", "push"],
        &["--SAFE", "status"],
        &["--safe=", "status"],
        &["--safe status"],
        &["--safe", "status", ""],
        &["--safe", "status", "status"],
        &["--safe\n", "status"],
    ];
    for args in wrong {
        denied("args", "tool", command("tool", args));
    }
    assert_eq!(text(&mut command("tool", &["--safe", "status"])), "--safe status\n");
}

/// There are no patterns, so nothing that would be part of one.
fn choices() {
    let wrong = [
        "",
        "lo",
        "logs",
        "xlog",
        "log|sh",
        "sh|log",
        "^log$",
        "log$",
        "^log",
        "log.*",
        ".*",
        "l.g",
        "(log)",
        "(?:log)",
        "[log]",
        "log\n",
        "\nlog",
        "log ",
        "LOG",
        "Log",
        "l\u{43e}g",
        "lo\u{581}",
        "log\u{301}",
        "\u{ff4c}og",
        "log;show",
        "log show",
        "--log",
        "log\u{0085}",
    ];
    for word in wrong {
        denied("args", "choice", command("choice", &[word]));
    }
    stopped(Stage::Request, None, "choice", command("choice", &["log\0"]).spawn());
    // A start is one, and what is like it is none.
    for word in ["", "-", "--format", "--Format=x", " --format=x", "--format\n=x", "x--format=x"] {
        denied("args", "start", command("start", &[word]));
    }
}

/// No option in place of a value.
fn options() {
    let options = ["-", "--", "-x", "-rf", "--exec=sh", "--upload-pack=sh", "-oProxyCommand=sh"];
    for option in options.into_iter().chain(["-\n", "-\u{e9}", "--\0"]) {
        let is_malformed = option.contains('\0');
        for (program, args) in [("value", vec![option]), ("rest", vec!["fine", option])] {
            let mut all = vec![];
            if program == "rest" {
                all.extend(SCRIPT);
            }
            all.extend(args);
            match is_malformed {
                true => stopped(Stage::Request, None, program, command(program, &all).spawn()),
                false => denied("args", program, command(program, &all)),
            }
        }
    }
    // What only looks like one to people is none to the program.
    for value in ["\u{2212}x", "\u{2010}-exec=sh", " -x", ""] {
        assert_eq!(text(&mut command("value", &[value])), format!("{value}\n"));
    }
}

fn numbers() {
    let wrong = [
        "",
        "0",
        "10",
        "-1",
        "+1",
        "01",
        "1 ",
        " 1",
        "1\n",
        "1e0",
        "1.0",
        "0x1",
        "0b1",
        "\u{ff11}",
        "\u{661}",
        "1_0",
        "9999999999999999999999999999",
        "1,2",
        "1;2",
    ];
    for number in wrong {
        denied("args", "number", command("number", &[number]));
    }
    assert_eq!(text(&mut command("number", &["9"])), "9\n");
}

/// A file that is called as an option is one only where it cannot be taken for it.
fn paths() {
    let in_directory = |path: &str| {
        let mut command = command("path", &[path]);
        command.current_dir("/dir");
        command
    };
    denied("args", "path", in_directory("-rf"));
    denied("args", "path", in_directory("--version"));
    assert_eq!(text(&mut in_directory("./-rf")), "an option by its name");
    let outside = |path: &str| {
        let tried = command("path", &[path]).spawn();
        stopped(Stage::Argument(0), Some("EXDEV"), "path", tried);
    };
    let ways = [
        "/etc/passwd",
        "/",
        "..",
        "../etc/passwd",
        "/dir/..",
        "/dir/../etc/passwd",
        "/dir/./../x",
        "//etc/passwd",
        "/DIR/-rf",
        "/d\u{131}r/-rf",
        "/dir\u{2215}-rf",
        "/dir/..//../etc",
        "dir/..",
        "/dir/out",
        "/dir/out/x",
        "/proc/self/root/etc/passwd",
        "~/x",
    ];
    for path in ways {
        outside(path);
    }
    // To the kernel these are names like others, of a directory that is not there, or of
    // a file that could be made where they say.
    for path in ["/dir/%2e%2e/x", "/dir/.\u{2024}/x"] {
        stopped(Stage::Argument(0), Some("ENOENT"), "path", command("path", &[path]).spawn());
    }
    for path in ["/dir/..\\..\\x", "/dir/-RF", "/dir/-rf\n", "/dir/%2e%2e"] {
        let output = command("path", &[path]).output().expect("it starts");
        assert!(!output.status.success() && output.stdout.is_empty(), "{path}");
    }
    stopped(Stage::Request, None, "path", command("path", &["/dir/-rf\0/../.."]).spawn());
}

/// The script prints each of its arguments between these.
const SCRIPT: [&str; 3] = ["-c", "printf '<%s>' \"$@\"", "sh"];

/// No shell is in the middle, so nothing has a meaning.
fn characters() {
    let values = [
        "$(touch /dir/made)",
        "`touch /dir/made`",
        "; touch /dir/made",
        "| touch /dir/made",
        "&& touch /dir/made",
        "> /dir/made",
        "$HOME",
        "${IFS}",
        "~",
        "*",
        "?",
        "[a-z]",
        "{a,b}",
        "!!",
        "a b",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "'",
        "\"",
        "\\",
        "\\n",
        "%s%n",
        "%PATH%",
        "\u{7f}\u{1b}[31m",
        "\u{fffd}\u{1f98e}",
        "",
    ];
    let whole: Vec<&str> = SCRIPT.into_iter().chain(values).collect();
    let expected: String = values.iter().map(|value| format!("<{value}>")).collect();
    assert_eq!(text(&mut command("rest", &whole)), expected);
    assert!(std::fs::metadata("/dir/made").is_err(), "a shell was in the middle");
}
