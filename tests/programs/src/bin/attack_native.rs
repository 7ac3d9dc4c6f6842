//! Starts a native program that attacks its host, once for each attack: its
//! arguments before `--`. Those behind are the program's own. Says how each went.

use test_programs::attack::command;
use test_programs::text;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let attacks = args.iter().take_while(|arg| *arg != "--");
    let own: Vec<&str> =
        args.iter().skip_while(|arg| *arg != "--").skip(1).map(|arg| &**arg).collect();
    for attack in attacks {
        let said = text(command("attacker", &own).env("ATTACK", attack));
        let answer = said.lines().find_map(|line| line.strip_prefix("ATTACK "));
        println!("{attack}: {}", answer.expect("it says how it went"));
    }
}
