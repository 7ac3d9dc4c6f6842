//! A guest spawns as often as its policy allows: five times at once and then
//! once a second; `rare` once a second.

use std::io::{self, ErrorKind};
use std::thread::sleep;
use std::time::Duration;

use offspring_guest::{Command, ErrorCode, ExitStatus, Stage, Stdio};
use test_programs::refused;

fn run(program: &str) -> io::Result<ExitStatus> {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
}

/// Spawns until it is refused by this rule, and says how often it was not.
fn burst(program: &str, rule: &str) -> usize {
    for count in 0.. {
        let result = run(program);
        if let Ok(status) = result {
            assert!(status.success());
            continue;
        }
        let (kind, error) = refused(result);
        assert_eq!((kind, error.code), (ErrorKind::QuotaExceeded, ErrorCode::LimitReached));
        assert_eq!(error.stage, Stage::Policy(rule.into()), "{}", error.message);
        return count;
    }
    unreachable!("it is refused at some time");
}

fn main() {
    // What the policy refuses is no spawn.
    for _ in 0..20 {
        let (_, error) = refused(Command::new("rare").arg("x").status());
        assert_eq!(error.code, ErrorCode::AccessDenied);
    }
    assert!(burst("rare", "spawns-per-second") >= 1);
    // What the grant refused took nothing of the guest's: four are left.
    assert!(burst("true", "limits.spawns-per-second") >= 4);
    // And it may again, in time.
    while run("true").is_err() {
        sleep(Duration::from_millis(50));
    }
}
