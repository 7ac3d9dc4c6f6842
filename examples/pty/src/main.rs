//! Runs a program in a terminal, with colours, and one whose output goes to a
//! file.

use offspring_guest::{Command, FileActions, OpenOptions, Pty, WindowSize};
use std::io::{self, Read};

fn main() -> io::Result<()> {
    // A terminal of 24 lines: what is in it shows colours, as for a person.
    let pty = Pty::open()?;
    pty.resize(WindowSize { rows: 24, columns: 80 })?;
    let mut child = Command::new("ls").arg("--color=auto").terminal(&pty).spawn()?;
    let mut shown = String::new();
    pty.reader()?.read_to_string(&mut shown)?;
    print!("{shown}");
    println!("ls ended with {}", child.wait()?);

    // What a shell calls `ls missing >>log 2>&1`: 1 is opened, 2 is the same.
    let mut actions = FileActions::new();
    actions.open(1, "/log", OpenOptions::new().append(true).create(true))?;
    actions.dup2(1, 2)?;
    let status = Command::new("ls").arg("missing").file_actions(&actions).status()?;
    println!("ls ended with {status}, and said why in the log");
    Ok(())
}
