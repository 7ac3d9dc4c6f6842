//! The emulator and the kernel: what Debian has, installed by this.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub const EMULATOR: &str = "qemu-system-x86_64";

/// The package that depends on the newest kernel of this kind.
const KERNEL: &str = "linux-image-cloud-amd64";

/// Makes sure that there is an emulator, and installs it if it can.
///
/// # Errors
/// A sentence for people: what is missing.
pub fn ensure_emulator() -> Result<(), String> {
    let is_there = || {
        let version = Command::new(EMULATOR).arg("--version").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    };
    if is_there() {
        return Ok(());
    }
    let packages = ["install", "-y", "--no-install-recommends", "qemu-system-x86"];
    let installed = with_update(|| apt("apt-get", &packages, Path::new("/")));
    match installed {
        Ok(_) if is_there() => Ok(()),
        Ok(_) => Err(format!("{EMULATOR} is not there after its package was installed")),
        Err(error) => Err(format!("{EMULATOR} is not installed (qemu-system-x86): {error}")),
    }
}

/// systemd, which need not run to be copied.
pub const SYSTEMD: &str = "/lib/systemd/systemd";

/// Makes sure that there is systemd, and installs it if it can.
///
/// # Errors
/// A sentence for people: what is missing.
pub fn ensure_systemd() -> Result<(), String> {
    let is_there = || Path::new(SYSTEMD).exists();
    if is_there() {
        return Ok(());
    }
    let packages = ["install", "-y", "--no-install-recommends", "systemd"];
    match with_update(|| apt("apt-get", &packages, Path::new("/"))) {
        Ok(_) if is_there() => Ok(()),
        Ok(_) => Err(format!("{SYSTEMD} is not there after its package was installed")),
        Err(error) => Err(format!("{SYSTEMD} is not there (systemd): {error}")),
    }
}

/// The kernel, unpacked into this directory but not installed.
///
/// # Errors
/// A sentence for people: what is missing.
pub fn ensure_kernel(directory: &Path) -> Result<PathBuf, String> {
    if let Some(kernel) = kernel_in(directory) {
        return Ok(kernel);
    }
    let fetched = directory.join("fetched");
    fs::create_dir_all(&fetched).map_err(|error| error.to_string())?;
    with_update(|| {
        let depends = apt("apt-cache", &["depends", KERNEL], &fetched)?;
        let package = depends
            .lines()
            .find_map(|line| line.trim().strip_prefix("Depends: ").filter(|name| is_kernel(name)))
            .ok_or_else(|| format!("no package is called {KERNEL}"))?;
        apt("apt-get", &["download", package], &fetched)
    })
    .map_err(|error| format!("cannot fetch {KERNEL}: {error}"))?;
    let package = files(&fetched).into_iter().find(|path| has_extension(path, "deb"));
    let package = package.ok_or("the kernel's package was not fetched")?;
    run(Command::new("dpkg-deb").arg("-x").arg(package).arg(directory))?;
    kernel_in(directory).ok_or_else(|| "the kernel's package has no kernel".to_owned())
}

fn is_kernel(name: &str) -> bool {
    name.starts_with("linux-image-")
}

fn kernel_in(directory: &Path) -> Option<PathBuf> {
    let is_kernel = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-"))
    };
    files(&directory.join("boot")).into_iter().find(is_kernel)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// Tries again with fresh lists of packages: those of an image are old, or
/// not there.
fn with_update(mut attempt: impl FnMut() -> Result<String, String>) -> Result<String, String> {
    attempt().or_else(|_| {
        apt("apt-get", &["update"], Path::new("/"))?;
        attempt()
    })
}

fn apt(program: &str, args: &[&str], directory: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(args).current_dir(directory).env("DEBIAN_FRONTEND", "noninteractive");
    run(&mut command)
}

/// What a command prints, or the last thing that it complains about.
pub fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run {name}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(format!("{name}: {}", text.lines().last().unwrap_or("it failed")))
        }
    }
}
