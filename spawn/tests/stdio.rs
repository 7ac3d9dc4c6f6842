//! The standard streams of a child, whatever those of the host are.

mod support;

use std::fs::File;
use std::io::pipe;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use offspring_spawn::{Child, ExitStatus, Stdio};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};
use support::isolation::isolated;
use support::place::Place;
use support::traces::{assert_no_children, descriptors};
use support::{cat, pid, read, sh, text, write};

/// Closes one of this process's standard streams.
#[expect(unsafe_code, reason = "a descriptor without an owner is closed")]
fn close(number: i32) {
    // SAFETY: the standard streams belong to the process, which is isolated:
    // nothing else in it uses them meanwhile, and they are put back.
    unsafe { rustix::io::close(number) };
}

/// This process's standard streams, put back when this is dropped.
struct Kept([OwnedFd; 3]);

impl Kept {
    fn keep() -> Kept {
        let copy = |fd| fcntl_dupfd_cloexec(fd, 100).unwrap();
        Kept([
            copy(rustix::stdio::stdin()),
            copy(rustix::stdio::stdout()),
            copy(rustix::stdio::stderr()),
        ])
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let [stdin, stdout, stderr] = &self.0;
        dup2_stdin(stdin).unwrap();
        dup2_stdout(stdout).unwrap();
        dup2_stderr(stderr).unwrap();
    }
}

/// What a child's streams are, without asking the child.
fn streams(child: &Child) -> [String; 3] {
    let all = descriptors(&pid(child).to_string());
    [0, 1, 2].map(|number| all[&number].clone())
}

fn kinds(file: &Arc<OwnedFd>) -> [Stdio; 4] {
    [Stdio::Null, Stdio::Inherit, Stdio::Piped, Stdio::Fd(Arc::clone(file))]
}

/// What each stream should be, from what was asked for.
fn expected(
    asked: &[Stdio; 3],
    host: &[Option<String>; 3],
    file: &str,
    child: &Child,
) -> [String; 3] {
    let ends = [&child.stdin, &child.stdout, &child.stderr];
    let ours = descriptors("self");
    [0, 1, 2].map(|number| match &asked[number] {
        Stdio::Null => "/dev/null".to_owned(),
        Stdio::Inherit => host[number].clone().unwrap_or("/dev/null".to_owned()),
        Stdio::Piped => ours[&ends[number].as_ref().unwrap().as_raw_fd()].clone(),
        Stdio::Fd(_) => file.to_owned(),
    })
}

/// Every choice of three.
fn choices<T: Clone>(from: &[T]) -> Vec<[T; 3]> {
    let mut all = Vec::new();
    for first in from {
        for second in from {
            for third in from {
                all.push([first, second, third].map(T::clone));
            }
        }
    }
    all
}

#[test]
fn every_kind_with_every_stream_closed_or_not() {
    isolated(|| {
        let kept = Kept::keep();
        let place = Place::new();
        let path = place.path("file");
        let file = Arc::new(OwnedFd::from(File::create(&path).unwrap()));
        // The host's streams have names that tell them apart.
        let names = ["in", "out", "err"].map(|name| place.path(name));
        let files = names.each_ref().map(|name| File::create(name).unwrap());
        let mut wrong = Vec::new();
        for closed in choices(&[false, true]) {
            dup2_stdin(&files[0]).unwrap();
            dup2_stdout(&files[1]).unwrap();
            dup2_stderr(&files[2]).unwrap();
            let mut host = names.clone().map(|name| Some(name.display().to_string()));
            for ((number, stream), closed) in (0..).zip(&mut host).zip(closed) {
                if closed {
                    close(number);
                    *stream = None;
                }
            }
            for asked in choices(&kinds(&file)) {
                let mut command = support::sleeper();
                let [stdin, stdout, stderr] = asked.clone();
                command.stdin(stdin).stdout(stdout).stderr(stderr);
                let child = command.spawn().unwrap();
                let expected = expected(&asked, &host, &path.display().to_string(), &child);
                let streams = streams(&child);
                if streams != expected || child.as_fd().as_raw_fd() < 3 {
                    wrong.push((closed, asked, streams, expected));
                }
            }
        }
        // Only now is there a stream for a message.
        drop(kept);
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_no_children();
    });
}

#[test]
fn sources_that_are_standard_streams_in_every_order() {
    isolated(|| {
        let kept = Kept::keep();
        let place = Place::new();
        let names = ["a", "b", "c"].map(|name| place.path(name));
        (0..3).for_each(close);
        let files =
            names.each_ref().map(|name| Arc::new(OwnedFd::from(File::create(name).unwrap())));
        let numbers = files.each_ref().map(|file| file.as_raw_fd());
        let links = names.map(|name| name.display().to_string());
        let mut wrong = Vec::new();
        for order in choices(&[0, 1, 2]) {
            let [stdin, stdout, stderr] = order.map(|index| Arc::clone(&files[index]));
            let mut command = support::sleeper();
            command.stdin(Stdio::Fd(stdin)).stdout(Stdio::Fd(stdout)).stderr(Stdio::Fd(stderr));
            let streams = streams(&command.spawn().unwrap());
            if streams != order.map(|index| links[index].clone()) {
                wrong.push((order, streams));
            }
        }
        drop(files);
        drop(kept);
        assert_eq!(numbers, [0, 1, 2]);
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

#[test]
fn nothing_of_ours_takes_the_place_of_a_closed_stream() {
    isolated(|| {
        let kept = Kept::keep();
        (0..3).for_each(close);
        let first = cat().stdout(Stdio::Piped).spawn().unwrap();
        let mut command = support::sleeper();
        command.stdin(Stdio::Inherit).stdout(Stdio::Inherit).stderr(Stdio::Inherit);
        let second = command.spawn().unwrap();
        let all = streams(&second);
        drop((first, second, kept));
        assert_eq!(all, ["/dev/null", "/dev/null", "/dev/null"]);
    });
}

#[test]
fn bytes_go_through() {
    let mut child = sh("read line; echo \"out $line\"; echo \"err $line\" >&2")
        .stdin(Stdio::Piped)
        .stdout(Stdio::Piped)
        .stderr(Stdio::Piped)
        .spawn()
        .unwrap();
    write(child.stdin.take(), "hello\n");
    assert_eq!(read(child.stdout.take()), "out hello\n");
    assert_eq!(read(child.stderr.take()), "err hello\n");
    assert!(child.wait().unwrap().status.success());
}

#[test]
fn nothing_is_the_default() {
    let child = sh("read line && exit 1; echo lost; echo lost >&2; exit 3").spawn();
    assert_eq!(child.unwrap().wait().unwrap().status, ExitStatus::Exited(3));
}

#[test]
fn both_outputs_into_one_pipe() {
    let (mut reader, writer) = pipe().unwrap();
    let writer = Arc::new(OwnedFd::from(writer));
    let mut command = sh("echo one; echo two >&2; echo three");
    command.stdout(Stdio::Fd(Arc::clone(&writer))).stderr(Stdio::Fd(writer));
    let child = command.spawn().unwrap();
    // The command holds the pipe open.
    drop(command);
    let mut all = String::new();
    std::io::Read::read_to_string(&mut reader, &mut all).unwrap();
    assert_eq!(all, "one\ntwo\nthree\n");
    assert!(child.wait().unwrap().status.success());
}

#[test]
fn children_joined_by_a_pipe() {
    let (reader, writer) = pipe().unwrap();
    let left = sh("echo b; echo a").stdout(writer).spawn().unwrap();
    assert_eq!(text(sh("sort").stdin(reader)), "a\nb\n");
    assert!(left.wait().unwrap().status.success());
}

#[test]
fn a_closed_pipe_kills_its_writer() {
    let mut child = sh("while :; do echo y; done").stdout(Stdio::Piped).spawn().unwrap();
    child.stdout = None;
    let status = child.wait().unwrap().status;
    assert_eq!(status, support::killed(offspring_spawn::Signal::PIPE));
}

#[test]
fn a_closed_pipe_ends_its_reader() {
    let mut child = cat().spawn().unwrap();
    child.stdin = None;
    assert!(child.wait().unwrap().status.success());
}

#[test]
fn the_same_command_twice() {
    let mut command = cat();
    command.stdout(Stdio::Piped);
    let mut children = [command.spawn().unwrap(), command.spawn().unwrap()];
    for (child, word) in children.iter_mut().zip(["one", "two"]) {
        write(child.stdin.take(), word);
    }
    let words = children.each_mut().map(|child| read(child.stdout.take()));
    assert_eq!(words, ["one", "two"]);
}
