//! Two children joined by a pipe: `sort | uniq -c` over what is given on the
//! standard input, then how each ended and what it used.
//!
//! ```text
//! $ printf 'b\na\nb\n' | cargo run -q -p offspring-spawn --example pipeline
//!       1 a
//!       2 b
//! sort: exit status: 0, 1.2ms of processor time
//! uniq: exit status: 0, 1.1ms of processor time
//! ```

use std::ffi::OsStr;
use std::io;

use offspring_spawn::{Command, Program, Stdio};

fn main() -> io::Result<()> {
    let path = OsStr::new("/usr/bin:/bin");
    let sort = Program::search("sort", path)?;
    let uniq = Program::search("uniq", path)?;

    // Each command is a temporary: what it holds of the pipe is closed with it,
    // and so the second child sees the end of what the first one writes.
    let (reader, writer) = io::pipe()?;
    let first = Command::new(&sort).stdin(Stdio::Inherit).stdout(writer).spawn()?;
    let second = Command::new(&uniq).arg("-c").stdin(reader).stdout(Stdio::Inherit).spawn()?;

    for (name, child) in [("sort", first), ("uniq", second)] {
        let exit = child.wait()?;
        let time = exit.usage.map(|usage| usage.user_time + usage.system_time);
        eprintln!("{name}: {}, {:?} of processor time", exit.status, time.unwrap_or_default());
    }
    Ok(())
}
