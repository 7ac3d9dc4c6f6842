//! What was checked is exchanged for a link that leads out, before it is used.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use offspring_tests::*;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use wasmtime_wasi::FsPerms::ReadWrite;

use super::{has_sandbox, recorded, unharmed};
use crate::isolation::isolated;
use crate::place::Place;
use crate::run::Run;

const POLICY: &str = r#"
    [program.cat]
    path = "cat"
    args = ["mark"]
    cwd = "preopens"
    stdio = ["null", "piped"]

    [program.path]
    path = "cat"
    args = [{ path = "preopens" }]
    stdio = ["null", "piped"]

    [program.waits]
    path = "sh"
    args = [
      "-c",
      '''read -r go; { read -r text < "$1"; } 2> /dev/null; echo "${text-none}"''',
      "sh",
      { path = "preopens" },
    ]
    stdio = ["null", "piped"]
"#;

/// A directory of the guest's, and one outside that a link in it leads to.
fn places() -> [Place; 2] {
    let [place, outside] = [Place::new(), Place::new()];
    fs::create_dir(place.path("place")).unwrap();
    symlink(outside.root(), place.path("link")).unwrap();
    for (directory, text) in [(place.path("place"), "inside"), (outside.root().into(), "outside")] {
        fs::write(directory.join("mark"), text).unwrap();
        fs::write(directory.join("line"), format!("{text}\n")).unwrap();
    }
    [place, outside]
}

#[test]
pub fn attack_links() {
    if !has_sandbox("attack::links::attack_links") {
        return;
    }
    isolated(|| {
        let [place, _outside] = places();
        let run = |way| {
            let run = Run::new(ATTACK_LINKS).args(&[way]);
            run.policy_file(POLICY).dir(place.root(), "/dir", ReadWrite)
        };
        unharmed(|| {
            let done = AtomicBool::new(false);
            let (from, to) = (place.path("place"), place.path("link"));
            let exchange = || {
                renameat_with(CWD, &from, CWD, &to, RenameFlags::EXCHANGE).unwrap();
            };
            let run = run("race");
            let printed = run.stdout();
            let begun = || printed.text().contains("race");
            thread::scope(|scope| {
                scope.spawn(|| {
                    let mut count = 0_u64;
                    while !done.load(Ordering::Relaxed) {
                        match begun() {
                            true => {
                                exchange();
                                count += 1;
                            }
                            false => thread::sleep(Duration::from_millis(1)),
                        }
                    }
                    // As it was.
                    if count % 2 == 1 {
                        exchange();
                    }
                });
                let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    recorded(run);
                }));
                done.store(true, Ordering::Relaxed);
                ended.unwrap();
            });
        });
        // What the child looks up for itself is its sandbox's to refuse.
        let found = |sandbox: &str| {
            let policy = POLICY.replace("[program.waits]", &format!("[program.waits]\n{sandbox}"));
            let run = Run::new(ATTACK_LINKS).args(&["wait"]).policy_file(&policy);
            run.dir(place.root(), "/dir", ReadWrite).sync().success().stdout
        };
        unharmed(|| assert_eq!(found(""), "none\n"));
        // So the test can tell.
        assert_eq!(found("sandbox = 'none'"), "outside\n");
    });
}
