//! Which files a child in a sandbox can reach, and how.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process;

use offspring_spawn::{Access, Command, Errno, OFlags, Part, Program, SandboxBuilder};
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, futimens, openat};
use support::isolation::{is_helper, isolated, own_program, skip};
use support::place::{Place, directory};
use support::proc::{forget_proc, own_proc};
use support::sandbox::{become_ordinary, errno, inside, inside_with, is_in_force, open_to_all};

/// A directory that may be read, one that may be written, one that may be
/// executed from, and one that is none of these.
fn files() -> Place {
    let place = Place::new();
    open_to_all(place.root());
    for name in ["ro", "rw", "rx", "out", "rw/sub", "ro/sub"] {
        fs::create_dir(place.path(name)).unwrap();
        open_to_all(&place.path(name));
    }
    for name in ["ro/file", "rw/file", "rw/other", "out/file"] {
        fs::write(place.path(name), name).unwrap();
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o666)).unwrap();
    }
    for name in ["ro/true", "rw/true", "rx/true", "out/true"] {
        place.copy_of("true", name);
    }
    symlink(place.path("out/file"), place.path("rw/way out")).unwrap();
    place
}

const DENIED: Option<Errno> = Some(Errno::ACCESS);

/// Where the files are, for the child.
const WHERE: &str = "OFFSPRING_TEST_PLACE";

fn root() -> std::path::PathBuf {
    std::env::var_os(WHERE).unwrap().into()
}

fn execute(path: impl AsRef<Path>) -> Option<Errno> {
    errno(process::Command::new(path.as_ref()).status())
}

fn make_fifo(path: &Path) -> Option<Errno> {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).err()
}

/// The matrix, row by row.
fn check_matrix() {
    let root = root();
    let at = |name: &str| root.join(name);
    let write = |name: &str| errno(OpenOptions::new().write(true).open(at(name)));
    let rows: &[(&str, Option<Errno>, Option<Errno>)] = &[
        ("R1 read what may be read", errno(fs::read(at("ro/file"))), None),
        ("R2 list it", errno(fs::read_dir(at("ro"))), None),
        ("R3 write to it", write("ro/file"), DENIED),
        ("R4 make a file in it", errno(File::create(at("ro/new"))), DENIED),
        ("R5 make a directory", errno(fs::create_dir(at("ro/new"))), DENIED),
        ("R6 remove a file", errno(fs::remove_file(at("ro/file"))), DENIED),
        ("R7 remove a directory", errno(fs::remove_dir(at("ro/sub"))), DENIED),
        ("R8 cut it short by name", truncate(&at("ro/file")), by(Part::Truncate)),
        ("R9 move it out", errno(fs::rename(at("ro/file"), at("rw/file2"))), DENIED),
        ("R10 move something in", errno(fs::rename(at("rw/file"), at("ro/file2"))), DENIED),
        ("R11 link it where one may write", link(&at("ro/file"), &at("rw/l")), Some(Errno::XDEV)),
        ("R12 execute it", execute(at("ro/true")), DENIED),
        ("W1 write what may be written", write("rw/file"), None),
        ("W2 make a file", errno(File::create(at("rw/new"))), None),
        ("W3 make a directory", errno(fs::create_dir(at("rw/dir"))), None),
        ("W4 make a link by name", errno(symlink("file", at("rw/symlink"))), None),
        ("W5 make a fifo", make_fifo(&at("rw/fifo")), None),
        ("W6 move to another directory", errno(fs::rename(at("rw/new"), at("rw/sub/n"))), None),
        ("W7 link in another directory", link(&at("rw/file"), &at("rw/sub/l")), None),
        ("W8 cut it short", truncate(&at("rw/other")), None),
        ("W9 remove it", errno(fs::remove_file(at("rw/sub/n"))), None),
        ("W10 execute it", execute(at("rw/true")), DENIED),
        ("W11 a device", device(&at("rw/null")), DENIED),
        ("X1 execute what may be executed", execute(at("rx/true")), None),
        ("X2 write to it", write("rx/true"), DENIED),
        ("O1 read what is outside", errno(fs::read(at("out/file"))), DENIED),
        ("O2 list it", errno(fs::read_dir(at("out"))), DENIED),
        ("O3 write to it", write("out/file"), DENIED),
        ("O4 execute it", execute(at("out/true")), DENIED),
        ("O5 through ..", errno(fs::read(at("rw/../out/file"))), DENIED),
        ("O6 through a link", errno(fs::read(at("rw/way out"))), DENIED),
        ("O7 list the directory above", errno(fs::read_dir(&root)), DENIED),
        ("O8 a host's home", errno(fs::read_dir("/root")), DENIED),
        ("S1 the shell", execute("/bin/sh"), DENIED),
        ("S2 read the shell", errno(fs::read("/bin/sh")), None),
        ("S3 the null device", errno(OpenOptions::new().write(true).open("/dev/null")), None),
        ("S4 shared memory", errno(File::create("/dev/shm/offspring-spawn-test")), DENIED),
        ("P1 memory of the parent", errno(File::open(of_parent("mem"))), DENIED),
        ("P2 environment of the parent", errno(File::open(of_parent("environ"))), DENIED),
        ("P3 arguments of the parent", errno(File::open(of_parent("cmdline"))), DENIED),
        ("P4 descriptors of the parent", errno(fs::read_dir(of_parent("fd"))), DENIED),
    ];
    for (row, found, expected) in rows {
        assert_eq!(found, expected, "{row}");
    }
    // For the next child, which finds it as this one did.
    fs::remove_dir(at("rw/dir")).unwrap();
    for made in ["rw/symlink", "rw/fifo", "rw/sub/l"] {
        fs::remove_file(at(made)).unwrap();
    }
}

/// What a part answers that Landlock may be too old for.
fn by(part: Part) -> Option<Errno> {
    DENIED.filter(|_| is_in_force(part))
}

fn of_parent(name: &str) -> String {
    format!("/proc/{}/{name}", std::os::unix::process::parent_id())
}

fn truncate(path: &Path) -> Option<Errno> {
    let path = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    #[expect(unsafe_code, reason = "std cuts short by descriptor alone")]
    // SAFETY: the path is a C string.
    let answer = unsafe { libc::truncate(path.as_ptr(), 1) };
    support::sandbox::checked(answer).err()
}

fn link(from: &Path, to: &Path) -> Option<Errno> {
    errno(fs::hard_link(from, to))
}

fn device(path: &Path) -> Option<Errno> {
    let null = rustix::fs::makedev(1, 3);
    let made = rustix::fs::mknodat(CWD, path, FileType::CharacterDevice, Mode::RWXU, null);
    // An ordinary user may not, whatever the directory.
    made.err().map(|errno| if errno == Errno::PERM { Errno::ACCESS } else { errno })
}

fn matrix_in(body: &(impl Fn() + Copy), program: &Program) {
    let place = files();
    let path = |name: &str| place.path(name);
    inside_with(
        body,
        program,
        |sandbox| {
            let sandbox = sandbox.file(directory(&path("ro")), Access::Read);
            let sandbox = sandbox.path(&path("rw"), Access::Write).unwrap();
            sandbox.path(&path("rx"), Access::Execute).unwrap()
        },
        |command| command.env(WHERE, place.root()),
    );
    // None of it was done, but for what nothing here could stop.
    let kept = if is_in_force(Part::Truncate) { "ro/file" } else { "r" };
    for (name, text) in [("ro/file", kept), ("out/file", "out/file")] {
        assert_eq!(fs::read_to_string(path(name)).unwrap(), text);
    }
}

#[test]
fn the_matrix() {
    let body = || {};
    match is_helper(&body) {
        true => check_matrix(),
        false => matrix_in(&body, &own_program()),
    }
}

#[test]
fn the_matrix_for_an_ordinary_user() {
    let body = || {};
    if is_helper(&body) {
        return check_matrix();
    }
    isolated(|| {
        let program = own_program();
        become_ordinary();
        matrix_in(&body, &program);
    });
}

/// What a program was sealed against: its file may have become anything.
#[test]
fn what_a_program_was_sealed_from_is_not_executed() {
    let body = || {};
    if is_helper(&body) {
        let own = root();
        assert_eq!(errno(File::open(&own)), None);
        return assert_eq!(execute(own), DENIED);
    }
    let program = own_program();
    let sealed = program.seal().unwrap();
    inside_with(&body, &sealed, |sandbox| sandbox, |command| command.env(WHERE, program.path()));
}

/// The kernel forgets files of `/proc` that nobody has open, and makes them anew, when
/// it needs memory; or when it is told to, by whoever mounts it.
#[test]
fn files_of_proc_stay_allowed_when_the_kernel_forgets_them() {
    let body = || {};
    if is_helper(&body) {
        let read = |path: &str| errno(fs::read(path));
        let found =
            ["/proc/cpuinfo", "/proc/sys/kernel/osrelease", "/proc/sys/kernel/random/boot_id"];
        return assert_eq!(found.map(read), [None; 3]);
    }
    isolated(|| {
        if let Err(error) = own_proc() {
            return skip("files_of_proc_stay_allowed", error);
        }
        let program = own_program();
        inside_with(
            &body,
            &program,
            |sandbox| {
                let named = Path::new("/proc/sys/kernel/random/boot_id");
                sandbox.path(named, Access::Read).unwrap()
            },
            |command| {
                forget_proc().unwrap();
                command
            },
        );
    });
}

#[test]
fn what_is_open_stays_usable() {
    let body = || {};
    if is_helper(&body) {
        let mut text = String::new();
        #[expect(unsafe_code, reason = "the parent has passed it")]
        // SAFETY: as below, this is open.
        let file = unsafe { BorrowedFd::borrow_raw(7) };
        let mut file = File::from(file.try_clone_to_owned().unwrap());
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "out/file");
        // What is opened by it is not.
        let again = format!("/dev/fd/{}", file.as_raw_fd());
        assert_eq!(errno(File::open(again)), DENIED);
        #[expect(unsafe_code, reason = "the parent has passed it")]
        // SAFETY: as below, this is open.
        let outside = unsafe { BorrowedFd::borrow_raw(8) };
        let beneath = openat(outside, "file", OFlags::RDONLY, Mode::empty());
        assert_eq!(beneath.err(), DENIED);
        assert_eq!(errno(File::open("file")), DENIED);
        assert_eq!(errno(fs::read_dir(".")), DENIED);
        // Pipes by name are.
        assert_eq!(errno(OpenOptions::new().write(true).open("/dev/stdout")), None);
        return;
    }
    let place = files();
    let file = File::open(place.path("out/file")).unwrap();
    let out = directory(&place.path("out"));
    inside(
        &body,
        |sandbox| sandbox,
        |command| {
            command.pass(OwnedFd::from(file), 7).unwrap();
            command.pass(out.try_clone().unwrap(), 8).unwrap();
            command.current_dir(out)
        },
    );
}

/// Changes of what Landlock does not know, to a file that may be read.
fn metadata(path: &Path) -> [Option<Errno>; 3] {
    let file = File::open(path).unwrap();
    let now = Timespec { tv_sec: 1, tv_nsec: 0 };
    let times = Timestamps { last_access: now, last_modification: now };
    [
        errno(fs::set_permissions(path, fs::Permissions::from_mode(0o600))),
        futimens(file.as_fd(), &times).err(),
        rustix::fs::fchown(file.as_fd(), None, None).err(),
    ]
}

#[test]
fn nothing_changes_where_nothing_may_be_written() {
    let body = || {};
    if is_helper(&body) {
        let denied = Some(Errno::PERM);
        return assert_eq!(metadata(&root().join("ro/file")), [denied; 3]);
    }
    let place = files();
    let file = place.path("ro/file");
    let before = fs::metadata(&file).unwrap();
    fn tell<'a>(command: &'a mut Command, place: &Place) -> &'a mut Command {
        command.env(WHERE, place.root())
    }
    let read = |builder: SandboxBuilder| builder.path(&place.path("ro"), Access::Read).unwrap();
    inside(&body, read, |command| tell(command, &place));
    let write = |name: &str| place.path(name);
    inside(
        &body,
        |b| read(b).path(&write("rw"), Access::Write).unwrap().refuse_metadata(),
        |command| tell(command, &place),
    );
    let after = fs::metadata(&file).unwrap();
    let of = |data: fs::Metadata| (data.mode(), data.mtime(), data.mtime_nsec());
    assert_eq!(of(after), of(before));
}

/// What `docs/sandbox.md` says that it does not stop.
#[test]
fn permissions_are_not_landlocks() {
    let body = || {};
    if is_helper(&body) {
        return assert_eq!(metadata(&root().join("out/file")).first(), Some(&None));
    }
    let place = files();
    // It is ours, so we may.
    fs::set_permissions(place.path("out/file"), fs::Permissions::from_mode(0o644)).unwrap();
    inside(
        &body,
        |builder| {
            let builder = builder.path(&place.path("rw"), Access::Write).unwrap();
            builder.path(&place.path("out"), Access::Read).unwrap()
        },
        |command| command.env(WHERE, place.root()),
    );
}

#[test]
fn devices_take_ioctls_where_they_are_named_to_be_written() {
    let body = || {};
    if is_helper(&body) {
        let open = |write| OpenOptions::new().read(true).write(write).open("/dev/ptmx");
        let expected = match std::env::var_os(WHERE).is_some() {
            true => (open(true).unwrap(), None),
            false => (open(false).unwrap(), by(Part::DeviceIoctl)),
        };
        let (device, expected) = expected;
        return assert_eq!(rustix::termios::tcgetattr(&device).err(), expected);
    }
    if File::open("/dev/ptmx").is_err() {
        return skip(
            "devices_take_ioctls_where_they_are_named_to_be_written",
            "there is no /dev/ptmx",
        );
    }
    let device = Path::new("/dev/ptmx");
    inside(&body, |b| b.path(device, Access::Read).unwrap(), |command| command);
    inside(
        &body,
        |builder| builder.path(device, Access::Write).unwrap(),
        |command| command.env(WHERE, ""),
    );
}
