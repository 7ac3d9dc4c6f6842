//! A program, its arguments and its streams in one call: each time what is asked for, and
//! not what was asked for before.

use offspring_guest::__internal::spawn::{Ran, Spawned, Stdio as Plain, Streams, run_program};
use offspring_guest::__internal::types::ErrorCode as Code;
use offspring_guest::{Command, ErrorCode, Stage, Stdio};
use test_programs::{refused, sh, text};

const NULL: Streams = Streams { stdin: Plain::Null, stdout: Plain::Null, stderr: Plain::Null };

/// More than a host waits.
const LONG: u64 = u64::MAX;

fn code(script: &str) -> Option<i32> {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("it starts").code()
}

fn pipes(streams: Streams) -> [bool; 3] {
    match run_program("sh", &["-c".to_owned(), "exit".to_owned()], streams, LONG) {
        Ok(Ran::Running(Spawned { stdin, stdout, stderr, .. })) => {
            [stdin.is_some(), stdout.is_some(), stderr.is_some()]
        }
        other => panic!("{other:?}"),
    }
}

fn main() {
    for _ in 0..3 {
        // As the first of its kind, as the next, and after another one.
        assert_eq!(code("exit 3"), Some(3));
        assert_eq!(code("exit 4"), Some(4));
        assert_eq!(text(&mut sh("echo \"$#,$A\"")), "0,\n");
        assert_eq!(text(sh("echo \"$#,$A\"").env("A", "1")), "0,1\n");
        assert_eq!(text(sh("echo \"$#,$A\"").arg("more")), "1,\n");
        assert_eq!(code("exit 3"), Some(3));

        let both = Streams { stdin: Plain::Piped, stderr: Plain::Piped, ..NULL };
        assert_eq!(pipes(both), [true, false, true]);
        assert_eq!(pipes(Streams { stdout: Plain::Piped, ..NULL }), [false, true, false]);

        // Both of these are refused after the same that was not, and do no harm to it.
        let (_, error) = refused(Command::new("sh").args(["-c", "exit\0"]).output());
        assert_eq!((error.stage, error.code), (Stage::Request, ErrorCode::InvalidArgument));
        let (_, error) = refused(Command::new("bare").arg("more").output());
        assert_eq!(error.stage, Stage::Policy("args".into()));
        assert!(Command::new("bare").output().expect("it starts").status.success());
        let inherits = Streams { stdin: Plain::Inherit, ..NULL };
        let error = run_program("bare", &[], inherits, LONG).expect_err("it may not");
        assert!(matches!(error.code, Code::AccessDenied));
        let nobody = run_program("nobody", &[], NULL, LONG).expect_err("it was not granted");
        assert!(nobody.message.contains("nobody"), "{nobody:?}");
    }
}
