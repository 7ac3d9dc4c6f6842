//! Puts a program of its own where its host looks for the one that it granted.

use std::fs;

use test_programs::attack::{command, denied};
use test_programs::text;

fn main() {
    // Its directory comes first on the host's path, and was without one until now.
    fs::rename("/dir/evil", "/dir/tool").expect("it may write there");
    for _ in 0..3 {
        assert_eq!(text(&mut command("tool", &[])), "granted\n");
    }
    // Nor can it be named, or looked for anywhere else.
    for name in ["/dir/tool", "dir/tool", "./tool", "evil", "/dir/evil"] {
        denied("program", name, command(name, &[]));
    }
    let mut search = command("tool", &[]);
    search.env("PATH", "/dir");
    denied("env-allow", "tool", search);
    let mut there = command("tool", &[]);
    there.current_dir("/dir");
    denied("cwd", "tool", there);
}
