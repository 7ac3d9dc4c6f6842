//! Sets the variables that are its arguments, by which programs can be made to run
//! other code than theirs, in a child that may be given every variable.

use offspring_guest::Stage;
use test_programs::attack::{command, denied, stopped};
use test_programs::text;

fn main() {
    let names: Vec<String> = std::env::args().skip(1).collect();
    for name in &names {
        let mut alone = command("wide", &[]);
        alone.env(name, "");
        denied("env-allow", "wide", alone);
        // Also in the company of one that is fine, and where nothing is allowed.
        let mut company = command("wide", &[]);
        company.env("A", "fine").env(name, "/dir/evil").env("Z", "fine");
        denied("env-allow", "wide", company);
        let mut plain = command("plain", &[]);
        plain.env(name, "/dir/evil");
        denied("env-allow", "plain", plain);
    }
    let with = |program, name: &str, value: &str| {
        let mut command = command(program, &[]);
        command.env(name, value);
        command
    };
    // What the host has fixed is neither replaced nor emptied.
    denied("env", "wide", with("wide", "FIXED", "mine"));
    denied("env", "wide", with("wide", "FIXED", ""));
    // A pattern covers no other name, whatever is in it.
    for name in ["XA", "a_X", "A", "A|LD_PRELOAD", " A_X", "B_A_X"] {
        denied("env-allow", "start", with("start", name, "1"));
    }
    // One variable in two, or another one's name in its own.
    for (name, value) in [("A=B", "1"), ("LD_PRELOAD=/dir/evil", ""), ("", "1"), ("A", "1\0B=2")] {
        stopped(Stage::Request, None, "wide", with("wide", name, value).spawn());
    }

    // What is only spelled like one is another variable; a line's end is part of a
    // value; and nothing of this guest's own environment is the child's.
    assert_eq!(std::env::var("LD_PRELOAD").as_deref(), Ok("/dir/evil"));
    let mut other = with("wide", "ld_preload", "/dir/evil");
    other.env("LD\u{ff3f}PRELOAD", "/dir/evil").env("A", "1\nLD_PRELOAD=/dir/evil");
    let printed = text(&mut other);
    let mut lines: Vec<&str> = printed.lines().collect();
    lines.sort_unstable();
    let expected = [
        "A=1",
        "FIXED=host's",
        "LD_PRELOAD=/dir/evil",
        "LD\u{ff3f}PRELOAD=/dir/evil",
        "ld_preload=/dir/evil",
    ];
    assert_eq!(lines, expected);
    assert!(printed.contains("A=1\nLD_PRELOAD=/dir/evil\n"), "it is in A");
}
