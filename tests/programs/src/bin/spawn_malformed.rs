//! What no kernel could be told is refused before anybody looks at it.

use std::io::ErrorKind;

use offspring_guest::__internal::spawn::{Command, Stage};
use offspring_guest::__internal::types::ErrorCode;
use offspring_guest::Stage as SdkStage;
use test_programs::{refused, sh};

/// A program, its arguments and its variables.
type Case<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);

fn main() {
    let cases: [Case<'_>; 8] = [
        ("s\0h", &[], &[]),
        ("sh", &["\0"], &[]),
        ("sh", &["fine", "not\0fine"], &[]),
        ("sh", &[], &[("", "value")]),
        ("sh", &[], &[("A=B", "value")]),
        ("sh", &[], &[("A\0", "value")]),
        ("sh", &[], &[("A", "val\0ue")]),
        ("sh", &[], &[("A", "1"), ("A", "1")]),
    ];
    for (program, args, env) in cases {
        let command = Command::new(program);
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let pair = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let env: Vec<(String, String)> = env.iter().map(pair).collect();
        command.args(&args).expect("setters only record");
        command.env(&env).expect("setters only record");
        let error = command.spawn().expect_err("it is malformed");
        assert!(matches!(error.code, ErrorCode::InvalidArgument), "{error:?}");
        assert!(matches!(error.stage, Stage::Request), "{error:?}");
        assert_eq!(error.errno, None);
        assert!(!error.message.contains('\0') && !error.message.is_empty());
    }
    let (kind, error) = refused(sh("exit").arg("a\0b").output());
    assert_eq!((kind, error.stage), (ErrorKind::InvalidInput, SdkStage::Request));
}
