//! A host that is about to end kills the children and allows no more.

use std::io::ErrorKind;

use offspring_guest::{Cause, ErrorCode, Stage};
use test_programs::{cat, refused, sh};

fn main() {
    let mut children = [cat(), cat()];
    println!("waiting");
    for child in &mut children {
        let status = child.pidfd().wait().expect("it ends");
        assert_eq!((status.signal(), status.cause()), (Some(9), Some(Cause::KilledByHost)));
    }
    let (kind, error) = refused(sh("exit").output());
    assert_eq!((kind, error.code), (ErrorKind::PermissionDenied, ErrorCode::AccessDenied));
    assert_eq!(error.stage, Stage::Policy("host".into()));
}
