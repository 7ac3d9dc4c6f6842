//! Runs a program by the name of a grant with these arguments, in a directory that
//! the guest may write, and exits as it does. What it says is printed.

use offspring_guest::{Command, exit};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [grant, args @ ..] = &args[..] else { panic!("a grant and arguments") };
    let output = Command::new(grant).args(args).current_dir("/rw").output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    exit(output.status.code().unwrap().try_into().unwrap());
}
