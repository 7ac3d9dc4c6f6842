//! Asks a program of the host who it is.

use offspring_guest::Command;
use std::io::{self, Write};

fn main() -> io::Result<()> {
    let output = Command::new("git").arg("--version").output()?;
    io::stdout().write_all(&output.stdout)?;
    println!("git ended with {}", output.status);
    Ok(())
}
