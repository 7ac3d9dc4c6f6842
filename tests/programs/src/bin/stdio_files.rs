//! Files as standard streams, as far as the guest may read and write them.

use std::fs;
use std::io::{self, ErrorKind};

use offspring_guest::__internal::spawn::{Command as Raw, Input, Output};
use offspring_guest::__internal::types::ErrorCode as RawCode;
use offspring_guest::__internal::wasip2::filesystem::preopens::get_directories;
use offspring_guest::fs::File;
use offspring_guest::{Command, ErrorCode, Stage, Stdio};
use test_programs::{refused, sh};

fn main() -> io::Result<()> {
    let copy = Command::new("cat")
        .stdin(File::open("/ro/in")?)
        .stdout(File::create("/rw/out")?)
        .stderr(Stdio::null())
        .status()?;
    assert!(copy.success());
    assert_eq!(fs::read_to_string("/rw/out")?, "from the host\n");

    // One file for both keeps what is written in order.
    let both = File::create_new("/rw/both")?;
    let mut script = sh("echo out; echo err >&2; echo out again");
    script.stdin(Stdio::null()).stdout(both.clone()).stderr(both);
    assert!(script.status()?.success());
    assert_eq!(fs::read_to_string("/rw/both")?, "out\nerr\nout again\n");

    // A file opened for one direction serves no other.
    let unwritable =
        || -> io::Result<Vec<File>> { Ok(vec![File::open("/ro/in")?, File::open("/rw/out")?]) };
    for file in unwritable()? {
        denied(sh("echo gone wrong").stdin(Stdio::null()).stderr(Stdio::null()).stdout(file));
    }
    for file in unwritable()? {
        denied(sh("echo gone wrong >&2").stdin(Stdio::null()).stdout(Stdio::null()).stderr(file));
    }
    let unreadable = File::create("/rw/unreadable")?;
    denied(sh("cat").stdin(unreadable).stdout(Stdio::null()).stderr(Stdio::null()));
    assert_eq!(fs::read_to_string("/ro/in")?, "from the host\n");
    assert_eq!(fs::read_to_string("/rw/out")?, "from the host\n");
    assert!(File::create("/ro/new").is_err());

    // A directory is no stream.
    let (directory, _) = get_directories().pop().expect("one directory");
    let command = Raw::new("cat");
    let answers = [
        command.stdin(&Input::File(&directory)),
        command.stdout(&Output::File(&directory)),
        command.stderr(&Output::File(&directory)),
    ];
    for answer in answers {
        assert!(matches!(answer, Err(RawCode::InvalidArgument)), "{answer:?}");
    }
    Ok(())
}

fn denied(command: &mut Command) {
    let (kind, error) = refused(command.spawn());
    assert_eq!(kind, ErrorKind::PermissionDenied);
    assert_eq!((error.stage, error.code), (Stage::Request, ErrorCode::AccessDenied));
}
