//! What children of a guest can reach: no more than the guest, unless its grant
//! says so.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;

use offspring::policy::{Grant, Policy, Sandbox};
use offspring::{BuildError, ProcessCtx, ProcessCtxBuilder, SandboxError};
use offspring_spawn::{Errno, Part};
use offspring_tests::*;
use rustix::process::{Resource, Rlimit, Signal, getppid, kill_process, prlimit};
use wasmtime_wasi::FsPerms::{ReadOnly, ReadWrite};

use crate::assert_test_exists;
use crate::ended::Ended;
use crate::isolation::{again_as_helper, is_helper, isolated, skip};
use crate::place::Place;
use crate::refusal::refuse;
use crate::run::{PATH, Run};

for_each_sandbox_program!(assert_test_exists);

/// Where the attacker may not go, and where it may.
const OUTSIDE: &str = "OFFSPRING_TEST_OUTSIDE";
const INSIDE: &str = "OFFSPRING_TEST_INSIDE";

fn errno<T>(result: io::Result<T>) -> Option<Errno> {
    result.err().map(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

fn variable(name: &str) -> PathBuf {
    std::env::var_os(name).unwrap().into()
}

/// Tries what a child must not be able to do.
fn attack() {
    let (outside, inside) = (variable(OUTSIDE), variable(INSIDE));
    let host = getppid().unwrap();
    let of_host = |name: &str| PathBuf::from(format!("/proc/{}/{name}", host.as_raw_nonzero()));
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let write = |path: PathBuf| errno(OpenOptions::new().write(true).open(path));
    let limit = Rlimit { current: Some(1), maximum: Some(1) };
    let (access, perm) = (Some(Errno::ACCESS), Some(Errno::PERM));
    for (row, found, expected) in [
        ("read the guest's directory", errno(fs::read(inside.join("ro/file"))), None),
        ("write where the guest may", errno(File::create(inside.join("rw/new"))), None),
        ("write where it may only read", write(inside.join("ro/file")), access),
        ("make a file there", errno(File::create(inside.join("ro/new"))), access),
        ("remove one there", errno(fs::remove_file(inside.join("ro/file"))), access),
        ("run what a guest has written", run(inside.join("rw/program")), access),
        ("run another program", run("/bin/sh".into()), access),
        ("read outside", errno(fs::read(outside.join("file"))), access),
        ("list outside", errno(fs::read_dir(&outside)), access),
        ("write outside", write(outside.join("file")), access),
        ("through a link", errno(fs::read(inside.join("rw/way out"))), access),
        ("by ..", errno(fs::read(inside.join("rw/../../outside/file"))), access),
        ("where it runs", errno(fs::read_dir(".")), access),
        ("memory of the host", errno(File::open(of_host("mem"))), access),
        ("environment of the host", errno(File::open(of_host("environ"))), access),
        ("command line of the host", errno(File::open(of_host("cmdline"))), access),
        ("descriptors of the host", errno(fs::read_dir(of_host("fd"))), access),
        ("root of the host", errno(fs::read_dir(of_host("root"))), access),
        ("program of the host", write(of_host("exe")), access),
        ("connect", errno(TcpStream::connect(("127.0.0.1", port))), access),
        ("listen", errno(TcpListener::bind(("127.0.0.1", 0))), access),
        ("send", errno(UdpSocket::bind(("127.0.0.1", 0))), access),
        ("a socket by its path", errno(UnixStream::connect(inside.join("ro/socket"))), access),
        ("a pair of datagrams", errno(UnixDatagram::pair()), access),
        ("signal the host", kill_process(host, Signal::TERM).err(), perm),
        ("starve the host", prlimit(Some(host), Resource::Cpu, limit).err(), perm),
    ] {
        assert_eq!(found, expected, "{row}");
    }
}

fn run(path: PathBuf) -> Option<Errno> {
    errno(Command::new(path).status())
}

#[test]
fn sandbox_attack() {
    let body = || {};
    if is_helper(&body) {
        return attack();
    }
    let place = Place::new();
    for name in ["outside", "inside", "inside/ro", "inside/rw"] {
        fs::create_dir(place.path(name)).unwrap();
    }
    fs::write(place.path("outside/file"), "secret").unwrap();
    fs::write(place.path("inside/ro/file"), "given").unwrap();
    place.program("inside/rw/program", "#!/bin/sh\n");
    std::os::unix::fs::symlink(place.path("outside/file"), place.path("inside/rw/way out"))
        .unwrap();
    let _unix = UnixListener::bind(place.path("inside/ro/socket")).unwrap();
    let tcp = TcpListener::bind(("127.0.0.1", 0)).unwrap();

    let (args, [variable, value]) = again_as_helper(&body);
    // Its sandbox is that of a grant that says nothing of it.
    let attacker = Grant::permissive("attacker", std::env::current_exe().unwrap())
        .env(variable, value)
        .env(OUTSIDE, place.path("outside").to_str().unwrap())
        .env(INSIDE, place.path("inside").to_str().unwrap())
        .env("PORT", tcp.local_addr().unwrap().port().to_string());
    let ended = Run::new(SANDBOX_ATTACK)
        .grant(attacker)
        .dir(&place.path("inside/ro"), "/ro", ReadOnly)
        .dir(&place.path("inside/rw"), "/rw", ReadWrite)
        .args(&args)
        .sync()
        .success();
    assert!(ended.stdout.contains("1 passed"), "{ended:?}");
    assert_eq!(fs::read_to_string(place.path("outside/file")).unwrap(), "secret");
    assert!(place.path("inside/rw/new").exists());
}

/// Threads that are in a sandbox make its children, where the host may have them.
#[test]
fn sandbox_carried() {
    isolated(|| {
        if !offspring_spawn::Kernel::get().unwrap().has_clone3() {
            return skip("sandbox_carried", "clone3 is refused");
        }
        let carriers = |change: fn(Run) -> Run| {
            let shell = Grant::permissive("sh", "sh").env("PATH", PATH).sandbox(Sandbox::none());
            let run = change(Run::new(SANDBOX_CARRIED)).allow(&["cat"]).grant(shell);
            let printed = run.sync().success().stdout;
            printed.lines().filter(|line| *line == "offspring-carry").count()
        };
        assert_eq!(carriers(|run| run), 1);
        assert_eq!(carriers(|run| run.process(ProcessCtxBuilder::without_carriers)), 0);
        // A process that forks has one thread.
        assert_eq!(carriers(|run| run.policy(Policy::new().forks(1))), 0);
    });
}

/// What a script can do in a sandbox of these words.
fn reach(words: &str, script: &str) -> (Option<i32>, String) {
    let place = Place::new();
    fs::write(place.path("file"), "text").unwrap();
    let text = format!(
        "program.sh = {{ path = '/bin/sh', args = 'any', cwd = 'preopens', stdio = ['piped'], \
         env = {{ PATH = '/bin:/usr/bin' }}, {words} }}"
    );
    let run = Run::new(SANDBOX_REACH).policy_file(&text).dir(place.root(), "/rw", ReadWrite);
    let ended = run.args(&["sh", "-c", script]).sync();
    (ended.code(), ended.stdout)
}

#[test]
fn sandbox_reach() {
    let does = |words: &str, script: &str| {
        let (code, printed) = reach(words, script);
        code == Some(0) && !printed.is_empty()
    };
    let list = "sandbox.execute = ['/bin', '/usr']";
    for (words, script, expected) in [
        ("", "read line < file; echo $line > new; echo $line", true),
        ("", "ls", false),
        (list, "ls", true),
        (list, "ls /proc/$PPID/task", false),
        (list, "ls /root", false),
        ("sandbox = { read = ['/proc'], execute = ['/usr'] }", "ls /proc/$PPID", true),
        ("sandbox = 'none'", "ls /proc/$PPID/task", true),
        ("sandbox.files = 'host'", "ls /", true),
        ("sandbox.files = 'none'", "read line < file && echo $line", false),
        ("sandbox.run-time = false", "read line < /etc/passwd && echo $line", false),
        ("", "read line < /etc/passwd && echo $line", true),
        ("", "kill -0 $PPID && echo yes", false),
        ("sandbox.without = ['signals']", "kill -0 $PPID && echo yes", true),
        ("", "ulimit -c", true),
    ] {
        assert_eq!(does(words, script), expected, "{words}: {script}");
    }
    assert_eq!(reach("", "ulimit -H -c; ulimit -S -t").0, Some(0));
    let of_status = |words: &str, key: &str| {
        let (_, printed) = reach(
            &format!("{words}{list}, sandbox.read = ['/proc']"),
            &format!("grep ^{key}: /proc/self/status"),
        );
        printed.split_whitespace().nth(1).map(str::to_owned)
    };
    assert_eq!(of_status("", "CapEff"), Some("0000000000000000".to_owned()));
    assert_eq!(of_status("", "Seccomp"), Some("2".to_owned()));
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim().to_owned();
    assert_eq!(of_status("sandbox.without = ['capabilities'], ", "CapEff"), Some(own));
}

/// A recipe of `docs/granting-access.md`, with a directory of the guest's for its
/// `HERE`; `None` where this machine has no such program.
fn recipe(place: &Place, program: &str, words: &str, args: &[&str]) -> Option<Ended> {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    if found.unwrap().stdout.is_empty() {
        skip("recipes", format_args!("there is no {program}"));
        return None;
    }
    let words = words.replace("HERE", place.root().to_str().unwrap());
    let text = format!(
        "[program.it]\npath = '{program}'\nargs = 'any'\ncwd = 'preopens'\nstdio = ['piped']\n{words}"
    );
    let run = Run::new(SANDBOX_REACH).policy_file(&text).dir(place.root(), "/rw", ReadWrite);
    Some(run.args(&[&["it"], args].concat()).sync().success())
}

#[test]
fn recipes() {
    let place = Place::new();
    let git = "env = { GIT_CONFIG_GLOBAL = '/dev/null' }\nsandbox.execute = ['/usr/lib/git-core']";
    let commit = "-c user.name=n -c user.email=e commit -q --allow-empty -m message";
    let commit: Vec<&str> = commit.split(' ').collect();
    for (args, says) in [
        (&["init", "-q"][..], ""),
        (&commit, ""),
        (&["log", "--format=%s"], "message\n"),
        (&["status", "--short"], ""),
    ] {
        if let Some(ended) = recipe(&place, "git", git, args) {
            assert_eq!(ended.stdout, says, "{args:?}");
        }
    }
    let place = Place::new();
    fs::write(place.path("hello.c"), "int main(void) { return 0; }").unwrap();
    let compiler = "env = { PATH = '/usr/bin', TMPDIR = 'HERE' }\nsandbox.execute = ['/usr']";
    if recipe(&place, "cc", compiler, &["-o", "hello", "hello.c"]).is_some() {
        assert!(place.path("hello").exists());
    }
    let shell = "env = { PATH = '/bin:/usr/bin' }\nsandbox.execute = ['/bin', '/usr']";
    let ended = recipe(&place, "sh", shell, &["-c", "ls | grep hello.c | wc -l"]);
    assert_eq!(ended.unwrap().stdout.trim(), "1");
}

fn build(words: &str) -> Result<ProcessCtx, BuildError> {
    let text = format!("[program.sh]\npath = 'sh'\n{words}");
    ProcessCtx::builder().policy(Policy::parse("p.toml", &text).unwrap()).build()
}

#[test]
fn a_kernel_that_lacks_a_part_is_an_error_unless_the_grant_says_so() {
    isolated(|| {
        refuse(libc::SYS_landlock_create_ruleset, Errno::NOSYS);
        let error = build("").unwrap_err();
        let is_missing =
            matches!(&error, BuildError::Sandbox { error: SandboxError::Missing(_), .. });
        assert!(is_missing, "{error:?}");
        let said = error.to_string();
        assert!(said.starts_with("p.toml:2:8: cannot confine `sh`: a part of"), "{said}");
        assert!(said.ends_with("`sandbox.best-effort = [\"files\"]`"), "{said}");

        let words = "sandbox.best-effort = ['files', 'truncate', 'device-ioctl', 'signals']";
        let context = build(words).unwrap();
        let missing: Vec<_> = context.missing().map(|(_, missing)| missing.part.name()).collect();
        assert_eq!(missing, ["files", "truncate", "device-ioctl", "signals"]);
        assert!(build("sandbox = 'none'").is_ok());
    });
}

/// Whoever adds what each error says comes to a host that runs, and is told what is
/// not in force.
#[test]
fn an_older_kernel_says_what_to_do_without() {
    let name = "sandbox::an_older_kernel_says_what_to_do_without";
    let Err(error) = build("") else {
        return skip(name, "this kernel has every part of a sandbox");
    };
    let mut said = error.to_string();
    let mut parts: Vec<String> = Vec::new();
    let context = loop {
        // Where the grant is, then where its sandbox is.
        let place = if parts.is_empty() { "2:8" } else { "3:1" };
        let start =
            format!("p.toml:{place}: cannot confine `sh`: a part of the sandbox is missing");
        assert!(said.starts_with(&start), "{said}");
        let (_, part) = said.split_once("; or do without it: `sandbox.best-effort = [").unwrap();
        parts.push(part.strip_suffix("]`").unwrap().to_owned());
        assert!(parts.len() <= Part::ALL.len(), "{parts:?}");
        match build(&format!("sandbox.best-effort = [{}]", parts.join(", "))) {
            Ok(context) => break context,
            Err(error) => said = error.to_string(),
        }
    };
    let missing: Vec<_> =
        context.missing().map(|(_, missing)| format!("\"{}\"", missing.part)).collect();
    assert_eq!(missing, parts);
}

#[test]
fn a_path_that_is_not_there_is_an_error_where_it_stands() {
    let error = build("sandbox = { read = ['/etc', '/not there'] }").unwrap_err();
    let expected = "p.toml:3:29: cannot confine `sh`: cannot open /not there: No such file";
    assert!(error.to_string().starts_with(expected), "{error}");
    let error = build("sandbox.system-calls = ['io-uring']").unwrap_err();
    assert!(error.to_string().contains("needs a network that is allowed"), "{error}");
    let built = ProcessCtx::builder()
        .grant(Grant::new("sh", "sh").sandbox(Sandbox::new().read("/not there")))
        .build();
    assert!(built.unwrap_err().to_string().starts_with("cannot confine `sh`"));
}
