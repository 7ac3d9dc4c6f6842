//! Children that a host starts itself.

use std::io::{Write, read_to_string};
use std::time::Duration;

use offspring::ProcessCtx;
use offspring::audit::Cause;
use offspring::policy::{Arguments, Grant};
use offspring::request::{Request, StdioKind};
use offspring_spawn::ExitStatus;

use crate::isolation::isolated;
use crate::run::sandbox;
use crate::traces::Traces;

/// A host starts children by its guest's policy: allowed, refused, counted.
#[test]
fn a_host_spawns_by_the_policy() {
    isolated(|| {
        // The first one opens what the next ones use.
        spawns();
        Traces::unchanged(spawns);
    });
}

fn spawns() {
    let grant = Grant::new("sh", "sh")
        .arguments(Arguments::Any)
        .stdio([StdioKind::Piped])
        .max_children(1)
        .sandbox(sandbox());
    let context = ProcessCtx::builder().grant(grant).build().unwrap();
    let shell = |script: &str| Request {
        program: "sh".into(),
        args: vec!["-c".into(), script.into()],
        ..Request::default()
    };
    let piped = Request {
        stdin: StdioKind::Piped,
        stdout: StdioKind::Piped,
        ..shell("read -r line; echo \"<$line>\"; exit 3")
    };
    let mut child = context.spawn(piped).unwrap();
    let refused = context.spawn(shell("")).unwrap_err();
    assert_eq!((&*refused.stage, refused.detail.as_deref()), ("policy", Some("max-children")));
    assert_eq!(child.try_wait().unwrap(), None);
    child.stdin.take().unwrap().write_all(b"text\n").unwrap();
    assert_eq!(read_to_string(child.stdout.take().unwrap()).unwrap(), "<text>\n");
    for _ in 0..2 {
        assert_eq!(child.wait().unwrap().status, ExitStatus::Exited(3));
    }
    drop(child);

    let child = context.spawn(shell("exec sleep 1000")).unwrap();
    child.end(Duration::ZERO).unwrap();
    assert_eq!(child.wait().unwrap().cause, Some(Cause::KilledByHost));
    drop(child);

    let denied = |request| context.spawn(request).unwrap_err();
    let variable = ("LD_PRELOAD".to_owned(), "x".to_owned());
    let refused = denied(Request { env: vec![variable], ..shell("") });
    assert_eq!((&*refused.stage, refused.detail.as_deref()), ("policy", Some("env-allow")));
    for request in [
        Request { cwd: true, ..shell("") },
        Request { stdin: StdioKind::File, ..shell("") },
        Request { group: Some("build".into()), ..shell("") },
    ] {
        assert_eq!(denied(request).stage, "request");
    }
}
