//! Each rule of a policy refuses with its own name, and says what is allowed.

use std::io::{self, ErrorKind};

use offspring_guest::{Child, Command, ErrorCode, Signal, Stage, Stdio};
use test_programs::{failed, refused};

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[track_caller]
fn denied(rule: &str, says: &str, result: io::Result<Child>) {
    let (kind, error) = refused(result);
    assert_eq!((kind, error.code), (ErrorKind::PermissionDenied, ErrorCode::AccessDenied));
    assert_eq!(error.stage, Stage::Policy(rule.into()), "{}", error.message);
    assert_eq!(error.errno, None, "it was not the kernel");
    assert!(error.message.contains(says), "{}", error.message);
}

fn main() {
    denied("program", "did you mean `plain`?", command("plian").spawn());
    denied("program", "no program is granted as `/bin/sh`", command("/bin/sh").spawn());
    denied("program", "no program", command("").spawn());
    denied("args", "without arguments", command("plain").arg("").spawn());
    denied("env", "`FIXED` is fixed", command("wide").env("FIXED", "other").spawn());
    denied("env-allow", "`OTHER`", command("plain").env("OTHER", "1").spawn());
    denied("env-allow", "allowed: `CHOSEN`", command("chosen").env("OTHER", "1").spawn());
    for never in ["LD_PRELOAD", "PATH", "BASH_ENV", "IFS"] {
        denied("env-allow", "never a guest's to set", command("wide").env(never, "1").spawn());
    }
    denied("cwd", "may not be chosen", command("plain").current_dir("/dir").spawn());
    denied("cwd", "may not be chosen", command("elsewhere").current_dir("/dir").spawn());
    let streams = [Stdio::inherit, Stdio::piped];
    for (stream, word) in streams.into_iter().zip(["`inherit`", "`piped`"]) {
        denied("stdio", word, command("plain").stdin(stream()).spawn());
        denied("stdio", word, command("plain").stdout(stream()).spawn());
        denied("stdio", word, command("plain").stderr(stream()).spawn());
    }
    let (reader, writer) = offspring_guest::pipe().expect("a pipe");
    denied("stdio", "`piped`", command("plain").stdin(reader).spawn());
    denied("stdio", "`piped`", command("plain").stdout(writer).spawn());
    let file = offspring_guest::fs::File::open("/dir/file").expect("it is there");
    denied("stdio", "`file`", command("plain").stdin(file).spawn());

    let mut child = command("wide").args(["-c", "exec sleep 100000"]).spawn().expect("it starts");
    let answer = child.pidfd().send_signal(Signal::INT).map_err(|error| error.kind());
    assert_eq!(answer, Err(ErrorKind::PermissionDenied));
    assert_eq!(failed(child.pidfd().send_signal(Signal::STOP)), ErrorCode::AccessDenied);
    child.pidfd().send_signal(Signal::TERM).expect("it is allowed");
    assert_eq!(child.wait().expect("it ends").signal(), Some(15));

    // What is allowed is, however plain.
    assert!(command("plain").env("FIXED", "1").status().expect("it starts").success());
}
