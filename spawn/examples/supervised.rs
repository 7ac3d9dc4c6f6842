//! Leaves nothing behind when it is killed, however it is, but for what it spares.

use std::error::Error;

use offspring_spawn::{Command, Program, Stdio, spare, supervise};

fn main() -> Result<(), Box<dyn Error>> {
    // From here on this is another process, and the one before watches it.
    supervise()?;
    let sh = Program::search("sh", "/bin:/usr/bin".as_ref())?;
    let mut command = Command::new(&sh);
    // A daemon: it has a session of its own, and its parent is gone.
    command.args(["-c", "(setsid sleep 1000 &); echo started"]).stdout(Stdio::Inherit);
    command.spawn()?.wait()?;
    if std::env::args().nth(1).as_deref() == Some("spare") {
        // This one is to live on.
        let mut command = Command::new(&sh);
        command.args(["-c", "echo $$; exec sleep 1000 >&-"]).stdout(Stdio::Inherit);
        let child = command.new_session(true).spawn()?;
        spare(&child)?;
        child.leave();
    }
    if std::env::args().nth(1).as_deref() == Some("crash") {
        std::process::abort();
    }
    Ok(())
}
