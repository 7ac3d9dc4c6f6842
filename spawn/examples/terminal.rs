//! A program in a terminal of its own: what it shows is printed, with a size
//! that it was told, and a descriptor that it was passed.
//!
//! ```text
//! $ cargo run -q -p offspring-spawn --example terminal
//! /dev/pts/3
//! 24 80
//! passed
//! exit status: 0
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use offspring_spawn::{Command, FileActions, Program, Pty, WindowSize};

fn main() -> io::Result<()> {
    let sh = Program::search("sh", "/usr/bin:/bin".as_ref())?;
    let pty = Pty::open()?;
    let (rows, columns) = (24, 80);
    pty.resize(WindowSize { rows, columns })?;

    let (reader, mut writer) = io::pipe()?;
    writer.write_all(b"passed\n")?;
    drop(writer);
    let mut actions = FileActions::new();
    actions.dup2(9, 5)?.close(9)?;

    let mut command = Command::new(&sh);
    command
        .args(["-c", "tty; stty size; cat <&5"])
        .env("PATH", "/usr/bin:/bin")
        .file_actions(actions)
        .pass(OwnedFd::from(reader), 9)?
        .terminal(&pty)?;
    let child = command.spawn()?;
    // It holds the terminal's other side, which must be closed for an end.
    drop(command);

    let mut shown = Vec::new();
    // A terminal ends with EIO, and what came before is there.
    let _ = File::from(OwnedFd::from(pty)).read_to_end(&mut shown);
    print!("{}", String::from_utf8_lossy(&shown).replace("\r\n", "\n"));
    println!("{}", child.wait()?.status);
    Ok(())
}
