//! A program in a terminal: what it sees of it, and what comes back.

use std::io::{self, ErrorKind, Read, Write};

use offspring_guest::{Child, PipeReader, Pty, Signal, Stdio, WindowSize};
use test_programs::{line, sh};

fn run(pty: &Pty, script: &str) -> Child {
    sh(script).terminal(pty).spawn().expect("it starts")
}

fn rest(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    text.replace("\r\n", "\n")
}

fn main() -> io::Result<()> {
    // It is a terminal, of its own session, in whose foreground it is.
    let pty = Pty::open()?;
    assert_eq!(pty.size()?, WindowSize { rows: 0, columns: 0 });
    pty.resize(WindowSize { rows: 24, columns: 80 })?;
    assert_eq!(pty.size()?, WindowSize { rows: 24, columns: 80 });
    let script = "test -t 0 && test -t 1 && test -t 2 && stty size && \
        read _ _ _ _ group session _ foreground _ </proc/self/stat && \
        test $$ = $group && test $$ = $session && test $$ = $foreground && echo foreground; \
        : </dev/tty && echo controlling";
    let mut child = run(&pty, script);
    assert_eq!(rest(pty.reader()?), "24 80\nforeground\ncontrolling\n");
    assert!(child.wait()?.success());

    // Again in the same one: the end was that of the first.
    let mut child = run(&pty, "echo second");
    assert_eq!(rest(pty.reader()?), "second\n");
    assert!(child.wait()?.success());

    // What is typed before there is anybody waits, and is echoed.
    let pty = Pty::open()?;
    pty.writer()?.write_all(b"typed ahead\n")?;
    let mut child = run(&pty, "read line; echo \"got $line\"");
    assert_eq!(rest(pty.reader()?), "typed ahead\ngot typed ahead\n");
    assert!(child.wait()?.success());
    // And nobody is there any more.
    let error = pty.writer()?.write_all(b"x").expect_err("nobody reads it");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);

    // Its size is told to whom it concerns.
    let pty = Pty::open()?;
    let script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.01; done";
    let mut child = run(&pty, script);
    let mut reader = pty.reader()?;
    assert_eq!(line(&mut reader), "ready\r");
    pty.resize(WindowSize { rows: 3, columns: 4 })?;
    assert_eq!(rest(reader), "3 4\n");
    assert!(child.wait()?.success());

    // A key that interrupts does.
    let pty = Pty::open()?;
    let mut child = run(&pty, "echo ready; read line");
    let (mut reader, mut keys) = (pty.reader()?, pty.writer()?);
    assert_eq!(line(&mut reader), "ready\r");
    keys.write_all(&[3])?;
    assert_eq!(child.wait()?.signal(), Some(Signal::INT.number()));

    hang_up()?;
    waiting()
}

/// Without its terminal, a session is told to end.
fn hang_up() -> io::Result<()> {
    let pty = Pty::open()?;
    let mut child = run(&pty, "echo ready; sleep 100000");
    let mut reader = pty.reader()?;
    assert_eq!(line(&mut reader), "ready\r");
    drop(pty);
    assert!(child.try_wait()?.is_none(), "the reader holds it");
    drop(reader);
    assert_eq!(child.wait()?.signal(), Some(Signal::HUP.number()));
    Ok(())
}

/// Nothing is read ahead, and a stream elsewhere is elsewhere.
fn waiting() -> io::Result<()> {
    let pty = Pty::open()?;
    let (reader, keys) = (pty.reader()?, pty.writer()?);
    assert_eq!(reader.try_read(&mut [0]).map_err(|it| it.kind()), Err(ErrorKind::WouldBlock));
    let mut script = sh("stty raw -echo; echo ready >&2; head -c 300000 /dev/zero; cat >/dev/null");
    let mut child = script.terminal(&pty).stderr(Stdio::piped()).spawn()?;
    assert_eq!(line(child.stderr.as_mut().expect("it is piped")), "ready");
    // Typing stops when it is not read.
    let mut typed = 0;
    loop {
        match keys.try_write(&[b'x'; 1000]) {
            Ok(count) => typed += count,
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    assert!((1000..1_000_000).contains(&typed), "{typed}");
    // It waits for us to read.
    assert!(child.try_wait()?.is_none());
    let (mut shown, mut buffer) = (0, [0; 4096]);
    let mut reader = reader;
    while shown < 300_000 {
        shown += reader.read(&mut buffer)?;
    }
    assert_eq!(shown, 300_000);
    // What was typed is taken now.
    keys.pollable().block();
    child.kill()?;
    child.wait()?;
    Ok(())
}
