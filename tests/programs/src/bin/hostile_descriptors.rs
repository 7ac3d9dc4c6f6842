//! Spawns and makes pipes in a host that may have no descriptors left. Exits
//! with 10 when it had too few for something.

use offspring_guest::{Command, ErrorCode, Stage, Stdio, exit, pipe};
use test_programs::{failed, refused};

fn main() {
    let mut all = true;
    for stdio in [Stdio::null, Stdio::piped] {
        let mut command = Command::new("true");
        command.current_dir("/dir").stdin(stdio()).stdout(stdio()).stderr(stdio());
        match command.spawn() {
            Ok(mut child) => assert!(child.wait().expect("it ends").success()),
            error => {
                all = false;
                let (_, error) = refused(error);
                assert_eq!(error.code, ErrorCode::TooManyDescriptors, "{error:?}");
                assert_eq!(error.errno.as_deref(), Some("EMFILE"), "{error:?}");
                let stages = [Stage::Resolve, Stage::Descriptors, Stage::Clone];
                assert!(stages.contains(&error.stage), "{error:?}");
            }
        }
    }
    let pipe = pipe();
    if pipe.is_err() {
        all = false;
        assert_eq!(failed(pipe), ErrorCode::TooManyDescriptors);
    }
    exit(if all { 0 } else { 10 });
}
