//! What is in the machine: programs of this one, and what they link.

use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::LIMIT;
use super::archive::Archive;
use super::compiled::{compile, components};
use super::packages::{SYSTEMD, run};
use super::suites::Built;
use xtask::workspace;

/// The files of the machines, and the content of their disk.
#[derive(Debug)]
pub struct Image {
    pub files: PathBuf,
    pub disk: PathBuf,
}

/// Programs that the tests start, or that start the tests.
const PROGRAMS: &[&str] = &[
    "sh",
    "bash",
    "dash",
    "awk",
    "cat",
    "chmod",
    "chown",
    "chrt",
    "cp",
    "cut",
    "date",
    "dd",
    "echo",
    "env",
    "expr",
    "false",
    "flock",
    "grep",
    "head",
    "id",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mkfifo",
    "mount",
    "mv",
    "nice",
    "nproc",
    "od",
    "printf",
    "printenv",
    "prlimit",
    "ps",
    "pwd",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "setpriv",
    "setsid",
    "sleep",
    "sort",
    "stat",
    "stty",
    "systemctl",
    "systemd-run",
    "tail",
    "taskset",
    "tee",
    "test",
    "timeout",
    "touch",
    "tr",
    "true",
    "tty",
    "umount",
    "uname",
    "unshare",
    "wc",
    "xargs",
    "yes",
];

/// Directories that must be there before anything is mounted on them.
const DIRECTORIES: &[&str] =
    &["/bin", "/dev", "/etc", "/proc", "/run", "/sys", "/tmp", "/usr", "/var/tmp", "/root"];

/// The units of systemd's that it needs to start and to end; without the others
/// nothing runs but what the tests ask for.
const UNITS: &[&str] = &[
    "basic.target",
    "final.target",
    "local-fs.target",
    "paths.target",
    "shutdown.target",
    "slices.target",
    "sockets.target",
    "swap.target",
    "sysinit.target",
    "timers.target",
    "umount.target",
    "user-.slice.d/10-defaults.conf",
    "user.slice",
    "user@.service",
];

/// The units of the manager of a user.
const USER_UNITS: &[&str] = &[
    "app.slice",
    "basic.target",
    "default.target",
    "exit.target",
    "paths.target",
    "shutdown.target",
    "sockets.target",
    "systemd-exit.service",
    "timers.target",
];

/// Files with little in them.
const TEXTS: &[(&str, &str)] = &[
    (
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    ),
    ("/etc/group", "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n"),
    // There is no journal.
    ("/etc/systemd/system.conf", "[Manager]\nDefaultStandardOutput=null\n"),
    ("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    // systemd begins a session for its user; anybody may.
    ("/etc/pam.d/systemd-user", "account required pam_permit.so\nsession required pam_permit.so\n"),
];

/// Where the C library of Debian looks for modules of PAM.
const PAM_PERMIT: &str = "/lib/x86_64-linux-gnu/security/pam_permit.so";

/// How large the disk is. It is all zeroes.
const DISK: u64 = 16 << 20;

/// Writes the machines' file system and their disk, for these tests.
pub fn write(
    directory: &Path,
    built: &Built,
    list: &str,
    tests: &BTreeSet<String>,
) -> Result<Image, String> {
    let image = Image { files: directory.join("initramfs"), disk: directory.join("disk") };
    let cannot = |error: std::io::Error| format!("cannot write {}: {error}", image.files.display());
    File::create(&image.disk).and_then(|disk| disk.set_len(DISK)).map_err(cannot)?;
    let file = File::create(&image.files).map_err(cannot)?;
    let mut archive = Archive::new(BufWriter::new(file));
    for directory in DIRECTORIES {
        archive.directory(directory).map_err(cannot)?;
    }
    archive.link("/usr/bin", "../bin").map_err(cannot)?;
    for (path, text) in TEXTS {
        archive.text(path, text).map_err(cannot)?;
    }
    let ours = workspace().join("tests/vm");
    archive.file(&ours.join("init"), "/init").map_err(cannot)?;
    archive.file(&ours.join("run"), "/suites/run").map_err(cannot)?;
    archive.text("/suites/list", list).map_err(cannot)?;
    archive.text("/suites/limit", &LIMIT.to_string()).map_err(cannot)?;
    for program in PROGRAMS {
        if let Some(path) = find(program) {
            add(&mut archive, &path, &format!("/bin/{program}"))?;
        }
    }
    for suite in &built.suites {
        add(&mut archive, &suite.executable, &format!("/suites/{}", suite.name))?;
    }
    if let Some(tool) = &built.tool {
        add(&mut archive, tool, &tool.to_string_lossy())?;
    }
    for guest in built.guests.iter().flat_map(|guests| components(guests)) {
        archive.file(&guest, &guest.to_string_lossy()).map_err(cannot)?;
    }
    for (from, path) in compile(built, tests, directory)? {
        archive.file(&from, &path.to_string_lossy()).map_err(cannot)?;
    }
    if Path::new(SYSTEMD).exists() {
        add_systemd(&mut archive, &ours.join("systemd"))?;
    }
    archive.finish().map_err(cannot)?;
    Ok(image)
}

/// systemd, its units and ours.
fn add_systemd<W: std::io::Write>(archive: &mut Archive<W>, ours: &Path) -> Result<(), String> {
    add(archive, Path::new(SYSTEMD), SYSTEMD)?;
    let executor = "/lib/systemd/systemd-executor";
    // Only newer ones have it.
    if Path::new(executor).exists() {
        add(archive, Path::new(executor), executor)?;
    }
    if Path::new(PAM_PERMIT).exists() {
        add(archive, Path::new(PAM_PERMIT), PAM_PERMIT)?;
    }
    let mut copy = |from: &Path, path: &str| {
        let said = |error| format!("cannot add {}: {error}", from.display());
        if from.exists() { archive.file(from, path).map_err(said) } else { Ok(()) }
    };
    // A user's manager looks at no other place.
    for (directory, units) in
        [("/lib/systemd/system", UNITS), ("/usr/lib/systemd/user", USER_UNITS)]
    {
        for unit in units {
            let path = format!("{directory}/{unit}");
            copy(Path::new(&path), &path)?;
        }
    }
    for unit in ["default.target", "tests.service", "user-runtime-dir@.service"] {
        copy(&ours.join(unit), &format!("/etc/systemd/system/{unit}"))?;
    }
    copy(&ours.join("runtime.conf"), "/etc/systemd/system/user@.service.d/runtime.conf")
}

/// A program with everything that it links.
fn add<W: std::io::Write>(
    archive: &mut Archive<W>,
    program: &Path,
    place: &str,
) -> Result<(), String> {
    let said = |error: std::io::Error| format!("cannot add {}: {error}", program.display());
    archive.file(program, place).map_err(said)?;
    // A script, or a program that links nothing, has none.
    let linked = run(Command::new("ldd").arg(program)).unwrap_or_default();
    for path in linked.split_whitespace().filter(|word| word.starts_with('/')) {
        archive.file(Path::new(path), path).map_err(said)?;
    }
    Ok(())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let places: Vec<PathBuf> = env::split_paths(&path).collect();
    places.iter().map(|place| place.join(program)).find(|path| path.is_file())
}
