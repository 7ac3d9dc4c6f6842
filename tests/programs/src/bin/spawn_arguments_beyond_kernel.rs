//! More bytes of arguments than the kernel accepts are refused by it, where
//! the host accepts more.

use std::io::ErrorKind;

use offspring_guest::{ErrorCode, Stage};
use test_programs::{refused, sh};

fn main() {
    // Linux takes at most 128 KiB in one string, and 6 MiB in all.
    let one = vec!["x".repeat(128 * 1024)];
    let all = vec!["x".repeat(127 * 1024); 64];
    for args in [one, all] {
        let (kind, error) = refused(sh(": > ran").args(&args).current_dir("/dir").output());
        assert_eq!(kind, ErrorKind::ArgumentListTooLong);
        assert_eq!((error.stage, error.code), (Stage::Exec, ErrorCode::ArgumentListTooLong));
        assert_eq!(error.errno.as_deref(), Some("E2BIG"));
        assert!(!std::fs::exists("/dir/ran").expect("it can be asked"), "nothing is run");
    }
}
