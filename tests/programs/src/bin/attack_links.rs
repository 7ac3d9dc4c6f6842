//! Puts a link out of its directories in the place of what was checked.
//!
//! `/dir/place` is a directory and `/dir/link` a link to one outside, each with a
//! file `mark` that says which; somebody may exchange the two all the time.

use std::fs;
use std::io::Write;

use offspring_guest::{Command, Stage, Stdio};
use test_programs::attack::{command, stopped, tell};
use test_programs::{line, refused, text};

/// How often something is tried while the two are exchanged.
const TRIES: usize = 200;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("race") => race(),
        Some("wait") => wait(),
        way => panic!("no such way: {way:?}"),
    }
}

/// A child that is to run in the place, and reads there.
fn in_place() -> Command {
    let mut command = command("cat", &["mark"]);
    command.current_dir("/dir/place");
    command
}

fn exchange() {
    for (from, to) in [("place", "away"), ("link", "place"), ("away", "link")] {
        fs::rename(format!("/dir/{from}"), format!("/dir/{to}")).expect("it may write there");
    }
}

fn race() {
    // As it is, and as it never may be.
    assert_eq!(text(&mut in_place()), "inside");
    exchange();
    stopped(Stage::Resolve, Some("EXDEV"), "cat", in_place().spawn());
    let path = command("path", &["/dir/place/mark"]).spawn();
    stopped(Stage::Argument(0), Some("EXDEV"), "path", path);
    exchange();

    println!("race");
    let (mut inside, mut kept_out) = (0, 0);
    for _ in 0..TRIES {
        for (program, mut tried) in
            [("cat", in_place()), ("path", command("path", &["/dir/place/mark"]))]
        {
            match tried.output() {
                Ok(output) => match &*output.stdout {
                    b"inside" => inside += 1,
                    // Refused by the kernel, when the child looked it up itself.
                    b"" => {
                        assert!(!output.status.success());
                        kept_out += 1;
                    }
                    other => panic!("{program} read {:?}", String::from_utf8_lossy(other)),
                },
                refusal => {
                    let (_, error) = refused(refusal);
                    let stage = if program == "cat" { Stage::Resolve } else { Stage::Argument(0) };
                    assert_eq!(error.stage, stage, "{}", error.message);
                    tell(program, &error);
                    kept_out += 1;
                }
            }
        }
    }
    assert_eq!(inside + kept_out, 2 * TRIES);
}

/// The same without chance: the child waits until the two were exchanged, after
/// its path was checked, and looks it up then.
fn wait() {
    const SCRIPT: &str =
        "read -r go; { read -r text < \"$1\"; } 2> /dev/null; echo \"${text-none}\"";
    let mut waits = Command::new("waits");
    waits.args(["-c", SCRIPT, "sh", "/dir/place/line"]);
    let command = waits.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().expect("the path is fine now");
    exchange();
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"go\n").expect("it waits");
    println!("{}", line(child.stdout.as_mut().expect("it is piped")));
    child.wait().expect("it ends");
    exchange();
}
