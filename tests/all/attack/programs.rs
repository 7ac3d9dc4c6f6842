//! Programs in the place of those that were granted.

use std::fs;
use std::path::PathBuf;

use offspring::ProcessCtx;
use offspring::policy::Policy;
use offspring_tests::*;
use wasmtime_wasi::FsPerms::ReadWrite;

use super::{recorded, unharmed};
use crate::isolation::{helper, is_helper};
use crate::place::Place;
use crate::run::{PATH, Run};

const POLICY: &str = r#"
    [program.tool]
    path = "tool"
    env-allow = ["*"]
    stdio = ["null", "piped"]
"#;

/// A host whose `PATH` begins with a directory that its guest may write to.
#[test]
pub fn attack_programs() {
    let body = || {
        let path = std::env::var_os("PATH").unwrap();
        let writable = std::env::split_paths(&path).next().unwrap();
        let place = |name| writable.join(name);
        let policy = || Policy::parse("policy.toml", POLICY).unwrap();
        unharmed(|| {
            recorded(Run::new(ATTACK_PROGRAMS).policy(policy()).dir(&writable, "/dir", ReadWrite));
            // Whoever looks for it now finds what was planted, and is not fooled.
            let again = ProcessCtx::builder().policy(policy());
            let again = again.preopened_dir(&writable, "/dir", ReadWrite);
            let error = again.build().unwrap_err().to_string();
            assert!(error.starts_with("policy.toml:3:12: "), "{error}");
            assert!(error.contains("the guest may write"), "{error}");
            fs::rename(place("tool"), place("evil")).unwrap();
        });
    };
    if is_helper(&body) {
        return body();
    }
    let [writable, real] = [Place::new(), Place::new()];
    writable.program("evil", "#!/bin/sh\necho planted\n");
    real.program("tool", "#!/bin/sh\necho granted\n");
    let directories = [writable.root(), real.root()].map(PathBuf::from).into_iter();
    let path = std::env::join_paths(directories.chain(std::env::split_paths(PATH))).unwrap();
    let output = helper(&body).env("PATH", path).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("1 passed"), "{output:?}");
}
