//! Starts the program `slow`, a shell, and says what came of it.

use offspring_guest::{Command, Stdio};
use test_programs::refused;

fn main() {
    println!("starting");
    let mut slow = Command::new("slow");
    slow.args(["-c", "exit 7"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match slow.spawn() {
        Ok(mut child) => println!("{}", child.wait().expect("it ends")),
        failed => {
            let (kind, error) = refused(failed);
            println!("{kind:?} {:?} {:?}", error.stage, error.errno);
        }
    }
}
