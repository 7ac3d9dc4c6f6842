//! Children that a host starts itself.

use std::io::{Write, read_to_string};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use offspring::ProcessCtx;
use offspring::audit::Cause;
use offspring::policy::{Arguments, Attribute, Grant};
use offspring::request::{Attributes, Request, StdioKind};
use offspring_spawn::ExitStatus;

use crate::isolation::isolated;
use crate::kept::Kept;
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

/// What was built for one request serves the next that asks for the same. Whatever a
/// request has that is another, its child has.
#[test]
fn what_was_built_for_another() {
    isolated(|| {
        let kept = Arc::new(Kept::default());
        let shell = Grant::new("sh", "sh")
            .arguments(Arguments::Any)
            .env_allow("A".parse().unwrap())
            .attributes([Attribute::Umask])
            .stdio([StdioKind::Null, StdioKind::Piped])
            .sandbox(sandbox());
        let bare = Grant::new("true", "true").stdio([StdioKind::Null]).sandbox(sandbox());
        let context = ProcessCtx::builder().grant(shell).grant(bare).audit(kept.clone());
        let context = context.build().unwrap();
        let request = |script: &str| Request {
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            stdout: StdioKind::Piped,
            ..Request::default()
        };
        let said = |request: &Request| {
            let mut child = context.spawn(request.clone()).unwrap();
            let text = read_to_string(child.stdout.take().unwrap()).unwrap();
            assert_eq!(child.wait().unwrap().cause, None);
            text
        };
        let with = |name: &str, request: Request| Request {
            env: vec![(name.to_owned(), "1".to_owned())],
            ..request
        };
        let masked = |request: Request| Request {
            attributes: Attributes { umask: Some(0o077), ..Attributes::default() },
            ..request
        };
        let usual = said(&request("umask"));
        assert_ne!(usual, "0077\n");
        // Each as the first of its kind, as the next, and after another one.
        for _ in 0..3 {
            for _ in 0..2 {
                assert_eq!(said(&request("echo one; echo $#")), "one\n0\n");
                assert_eq!(said(&request("echo two, $A")), "two,\n");
            }
            assert_eq!(said(&with("A", request("echo two, $A"))), "two, 1\n");
            assert_eq!(said(&request("umask")), usual);
            assert_eq!(said(&masked(request("umask"))), "0077\n");

            let denied = |request| context.spawn(request).map(drop).unwrap_err();
            assert_eq!(denied(request("echo\0")).stage, "request");
            assert_eq!(denied(request(&"x".repeat(1 << 20))).stage, "request");
            assert_eq!(denied(with("B", request("echo"))).detail.as_deref(), Some("env-allow"));
            let inherits = Request { stdin: StdioKind::Inherit, ..request("echo") };
            assert_eq!(denied(inherits).detail.as_deref(), Some("stdio"));
            let bare = Request { program: "true".into(), ..Request::default() };
            assert!(context.spawn(bare.clone()).unwrap().wait().unwrap().status.success());
            let args = vec!["x".to_owned()];
            assert_eq!(denied(Request { args, ..bare }).detail.as_deref(), Some("args"));

            // A time limit is of one only, and so is being killed.
            let sleeps = |deadline| Request { deadline, ..request("exec sleep 1000") };
            let moment = Duration::from_millis(20);
            let ended = context.spawn(sleeps(Some(moment))).unwrap().wait().unwrap();
            assert_eq!(ended.cause, Some(Cause::Deadline));
            let [one, other] = [(); 2].map(|()| context.spawn(sleeps(None)).unwrap());
            thread::sleep(moment * 2);
            one.end(Duration::ZERO).unwrap();
            assert_eq!(one.wait().unwrap().cause, Some(Cause::KilledByHost));
            assert_eq!(other.try_wait().unwrap(), None);
        }
        let lines = kept.lines();
        let told = |script: &str| {
            let argv = lines.iter().map(|line| line["argv"][2] == script);
            argv.filter(|is_it| *is_it).count()
        };
        assert_eq!(told("echo one; echo $#"), 6);
        assert_eq!(told("echo two, $A"), 9);
        assert_eq!(told("umask"), 7);
    });
}
