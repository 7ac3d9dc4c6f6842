//! What glibc's tests assert of `fork` and `_Fork`, and what is known of those that
//! `fork_np` was to have: a row for each argument. `/proc` is this guest's to read,
//! `/dir` to write.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::sync::Mutex;

use offspring_guest::cgroup::Cgroup;
use offspring_guest::fork::{self, ForkError, Forked, Options, at_fork};
use offspring_guest::{ErrorCode, Signal};
use test_programs::{forked, not_forked};

/// The number of this process and of its parent.
fn numbers() -> (u32, u32) {
    let text = fs::read_to_string("/proc/self/stat").expect("it can be read");
    let (pid, rest) = text.split_once(' ').expect("fields");
    let (_, rest) = rest.rsplit_once(") ").expect("a name");
    let parent = rest.split(' ').nth(1).expect("fields");
    (pid.parse().expect("a number"), parent.parse().expect("a number"))
}

static DONE: Mutex<String> = Mutex::new(String::new());

fn register() {
    let note = |what: char| move || DONE.lock().expect("it is free").push(what);
    at_fork(note('a'), note('b'), note('c'));
}

fn done() -> String {
    std::mem::take(&mut DONE.lock().expect("it is free"))
}

/// Forks, and looks at what was done around it in both.
fn around(options: &Options, parent: &str, child: &str) {
    match options.fork().expect("it forks") {
        Forked::Child => offspring_guest::exit(u8::from(done() != child)),
        Forked::Parent(pidfd) => {
            assert_eq!(done(), parent);
            assert_eq!(pidfd.wait().expect("it ends").code(), Some(0));
        }
    }
}

/// A process of its own, whose parent is this one, and a file that both append to.
fn own_process(options: &Options) {
    let (own, _) = numbers();
    let path = "/dir/shared";
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("it is made");
    file.write_all(b"parent ").expect("it is written");
    let made = options.spawn(|| {
        let (child, parent) = numbers();
        assert_eq!(parent, own);
        assert_ne!(child, own);
        file.write_all(b"child ").expect("it is written");
        0
    });
    let made = made.expect("it forks");
    assert_eq!(made.wait().expect("it ends").code(), Some(0));
    file.write_all(b"again").expect("it is written");
    assert_eq!(fs::read_to_string(path).expect("it can be read"), "parent child again");
    assert_eq!(numbers().0, own);
    fs::remove_file(path).expect("it is there");
}

/// The flags of the host's descriptors that are pidfds of this process.
fn flags_of(pid: u32) -> Vec<u32> {
    let texts =
        (0..100).filter_map(|fd| fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).ok());
    let field = |text: &str, name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.next().map(|value| value.trim().to_owned())
    };
    let ours = texts.filter(|text| field(text, "Pid:") == Some(pid.to_string()));
    ours.filter_map(|text| u32::from_str_radix(&field(&text, "flags:")?, 8).ok()).collect()
}

fn row(name: &str) {
    match name {
        "fk_1" => own_process(&Options::new().async_safe()),
        "fk_2" => {
            register();
            around(&Options::new().async_safe(), "", "");
        }
        "fk_3" => own_process(&Options::new()),
        "fn_1" => {
            register();
            around(&Options::new(), "ab", "ac");
            around(&Options::default(), "ab", "ac");
            // A copy of memory, and one value of its own.
            let mut memory = 1;
            let child = fork::spawn(|| {
                memory += 1;
                memory
            });
            assert_eq!(child.expect("it forks").wait().expect("it ends").code(), Some(2));
            assert_eq!(memory, 1);
        }
        "fn_2" => {
            register();
            around(&Options::new().async_safe(), "", "");
            // The fork of a fork too.
            forked(|| {
                done();
                around(&Options::new().async_safe(), "", "");
            });
        }
        "fn_3" => {
            let (outer, _) = numbers();
            forked(|| {
                let (middle, parent) = numbers();
                assert_eq!(parent, outer);
                forked(|| assert_eq!(numbers().1, middle));
            });
            // What one has read of a socket or a pipe the other does not read again.
            let (mut reader, mut writer) = offspring_guest::pipe().expect("a pipe");
            writer.write_all(b"ab").expect("there is room");
            let mut byte = [0];
            forked(|| reader.read_exact(&mut byte).expect("a byte"));
            reader.read_exact(&mut byte).expect("a byte");
            assert_eq!(byte, *b"b");
        }
        "fn_4" => {
            let child = fork::spawn(|| 7).expect("it forks");
            // A zombie has its number still.
            let flags = flags_of(child.getpid().expect("nobody has waited for it"));
            let closed = flags.iter().all(|flags| flags & 0o2_000_000 != 0);
            assert!(!flags.is_empty() && closed, "{flags:?}");
            assert_eq!(child.wait().expect("it ends").code(), Some(7));
            // Any number of waits.
            assert_eq!(child.wait().expect("it has ended").code(), Some(7));
            assert!(child.wait().expect("it has ended").signal().is_none());
        }
        "fn_7" => {
            let group = Cgroup::open("build").expect("it is granted");
            let inside = || {
                let text = fs::read_to_string("/proc/self/cgroup").expect("it can be read");
                text.lines().any(|line| line.starts_with("0::") && line.contains("/group.build/"))
            };
            let child = Options::new().group(&group).spawn(|| u8::from(!inside()));
            assert_eq!(child.expect("it forks").wait().expect("it ends").code(), Some(0));
            assert!(!inside());
        }
        "fn_8" => {
            let invalid = ForkError::Other(ErrorCode::InvalidArgument);
            for signal in [Signal::KILL, Signal::TERM, Signal::USR1, Signal::STOP] {
                let options = Options::new().exit_signal(Some(signal));
                assert_eq!(not_forked(options.fork()), invalid, "{signal}");
            }
            forked(|| {});
        }
        other => panic!("no such row: {other}"),
    }
}

fn main() {
    std::env::args().skip(1).for_each(|name| row(&name));
}
