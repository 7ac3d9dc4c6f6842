//! In a host where others wait for its children too: each status is the right one,
//! or lost where the kernel does not keep it, and every wait gives the same.

use offspring_guest::{ExitStatus, features};
use test_programs::{cat, sh};

fn main() {
    for round in 0..20 {
        let status = end(&format!("exit {}", round * 7));
        assert!(status.code() == Some(round * 7) || is_lost(&status), "{status}");
        for signal in [9, 15] {
            let status = end(&format!("kill -{signal} $$"));
            assert!(status.signal() == Some(signal) || is_lost(&status), "{status}");
        }
    }
    // Nobody else takes what still lives for ended.
    let mut child = cat();
    assert_eq!(child.try_wait().expect("it can be asked"), None);
    child.kill().expect("it is alive");
    let status = child.wait().expect("it ends");
    assert!(status.signal() == Some(9) || is_lost(&status), "{status}");
}

fn end(script: &str) -> ExitStatus {
    let child = sh(script).spawn().expect("it starts");
    let status = child.pidfd().wait().expect("it ends");
    for _ in 0..2 {
        assert_eq!(child.pidfd().wait().expect("it has ended"), status);
    }
    status
}

fn is_lost(status: &ExitStatus) -> bool {
    let none = (status.code(), status.signal()) == (None, None) && !status.success();
    !features().exit_info && status.lost() && none
}
