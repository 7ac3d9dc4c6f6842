//! What a program needs of the system to run at all: read-only, and the same
//! for everybody who has an account on the machine.
//!
//! Not among it: `/proc` as a whole, which has the command lines of all
//! processes; `/tmp` and `/dev/shm`, which are shared; `/dev/tty`, which may be
//! the host's terminal; and of `/etc` what is configuration of services or
//! secret.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use rustix::fs::{Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, open as open_file};
use rustix::io::Errno;

use crate::stdio::above_stdio;
use crate::window::aside;

/// Beneath these, and these, may be read.
pub(crate) const READ: &[&str] = &[
    // Programs, libraries and what they come with.
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr",
    "/gnu/store",
    "/nix/store",
    // How libraries are found.
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/ld-musl-aarch64.path",
    "/etc/ld-musl-riscv64.path",
    "/etc/ld-musl-x86_64.path",
    // Names of users, hosts, services and languages.
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/locale.alias",
    "/etc/locale.conf",
    "/etc/localtime",
    "/etc/lsb-release",
    "/etc/magic",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/terminfo",
    "/etc/timezone",
    "/etc/fonts",
    // Certificates, but not the keys beside them.
    "/etc/ca-certificates",
    "/etc/ca-certificates.conf",
    "/etc/crypto-policies",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    // Devices without a state that others see.
    "/dev/random",
    "/dev/urandom",
    // What the machine is.
    "/proc/cpuinfo",
    "/proc/filesystems",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/fs/pipe-max-size",
    "/proc/sys/kernel/cap_last_cap",
    "/proc/sys/kernel/ngroups_max",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/random/uuid",
    "/proc/sys/kernel/threads-max",
    "/proc/sys/vm/max_map_count",
    "/proc/sys/vm/overcommit_memory",
    "/proc/uptime",
    "/proc/version",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
];

/// Where loaders find libraries unless they are told otherwise, and what tells them.
pub(super) const LIBRARIES: &[&str] = &[
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/gnu/store",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/ld-musl-aarch64.path",
    "/etc/ld-musl-riscv64.path",
    "/etc/ld-musl-x86_64.path",
];

/// These may be written.
pub(crate) const WRITE: &[&str] = &["/dev/full", "/dev/null", "/dev/zero"];

/// These may be executed: the loaders of dynamic programs, which the kernel
/// executes for them.
pub(super) const EXECUTE: &[&str] = if cfg!(target_arch = "x86_64") {
    &["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"]
} else if cfg!(target_arch = "aarch64") {
    &["/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"]
} else {
    &["/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"]
};

/// Those of `/proc`, open as long as this process lives: see [`is_fleeting`].
static OF_PROCESSES: LazyLock<Vec<(&str, Arc<OwnedFd>)>> = LazyLock::new(|| {
    let paths = READ.iter().filter(|path| path.starts_with("/proc/"));
    let open = |path| open_path(Path::new(path)).and_then(aside).ok();
    let opened = paths.filter_map(|path| Some((*path, open(path)?)));
    opened.map(|(path, fd)| (path, Arc::new(fd))).collect()
});

/// Opens one of these as `O_PATH`, if this system has it.
pub(super) fn open(path: &Path) -> Option<Arc<OwnedFd>> {
    match path.starts_with("/proc") {
        true => {
            let (_, fd) = OF_PROCESSES.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(Arc::clone(fd))
        }
        false => open_path(path).map(Arc::new).ok(),
    }
}

pub(super) fn open_path(path: &Path) -> Result<OwnedFd, Errno> {
    open_file(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).and_then(above_stdio)
}

/// Whether a file must stay open for Landlock to know it again. Rules are about what is
/// in the kernel's memory. `/proc` makes its files anew when nobody has them open and
/// the memory was needed for something else.
pub(super) fn is_fleeting(fd: impl AsFd) -> bool {
    fstatfs(fd).is_ok_and(|found| found.f_type == PROC_SUPER_MAGIC)
}
