//! Files that a child can have as standard streams, and how a guest's paths
//! become descriptors.
//!
//! A child can be given what the component holds itself: directories and files
//! beneath the directories that its host opened for it. [`std::fs::File`] does
//! not give its descriptor away, hence a [`File`] of its own here.

use crate::ErrorCode;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::{Arc, OnceLock};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{self, Descriptor, DescriptorFlags, OpenFlags, PathFlags};

/// A file to be given to a child as a standard stream.
///
/// Absolute paths and paths relative to `/` both work. What the component
/// wants to read or write itself, it opens with [`std::fs`].
///
/// There is no `append`: WASI 0.2 has no descriptor that appends.
#[derive(Clone, Debug)]
pub struct File(pub(crate) Arc<Descriptor>);

impl File {
    /// Opens a file for reading.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::open_with(path.as_ref(), OpenFlags::empty(), DescriptorFlags::READ)
    }

    /// Opens a file for writing: makes it if it does not exist, and empties it
    /// if it does.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let open = OpenFlags::CREATE | OpenFlags::TRUNCATE;
        Self::open_with(path.as_ref(), open, DescriptorFlags::WRITE)
    }

    /// Makes a file and opens it for writing.
    ///
    /// # Errors
    ///
    /// - `AlreadyExists`: there is one of that name.
    pub fn create_new(path: impl AsRef<Path>) -> io::Result<Self> {
        let open = OpenFlags::CREATE | OpenFlags::EXCLUSIVE;
        Self::open_with(path.as_ref(), open, DescriptorFlags::WRITE)
    }

    fn open_with(path: &Path, open: OpenFlags, flags: DescriptorFlags) -> io::Result<Self> {
        let (directory, rest) =
            resolve(path).map_err(|(code, message)| io::Error::new(code.kind(), message))?;
        let file = directory
            .open_at(PathFlags::SYMLINK_FOLLOW, &rest, open, flags)
            .map_err(|code| from_host(code, path))?;
        Ok(Self(Arc::new(file)))
    }
}

/// A directory to be given to a child.
#[derive(Clone, Debug)]
pub struct Dir(pub(crate) Arc<Descriptor>);

impl Dir {
    /// Opens a directory that the component has, or one beneath it.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let (directory, rest) =
            resolve(path).map_err(|(code, message)| io::Error::new(code.kind(), message))?;
        let (open, flags) = (OpenFlags::DIRECTORY, DescriptorFlags::READ);
        let dir = directory
            .open_at(PathFlags::SYMLINK_FOLLOW, &rest, open, flags)
            .map_err(|code| from_host(code, path))?;
        Ok(Self(Arc::new(dir)))
    }
}

/// Finds the directory given to this component that covers `path`, and the
/// rest of the path beneath it.
pub(crate) fn resolve(path: &Path) -> Result<(&'static Descriptor, String), (ErrorCode, String)> {
    static DIRECTORIES: OnceLock<Vec<(Descriptor, String)>> = OnceLock::new();
    let directories = DIRECTORIES.get_or_init(get_directories);

    let wanted = components(path).ok_or_else(|| {
        let message = format!("the path {} is not UTF-8", path.display());
        (ErrorCode::InvalidArgument, message)
    })?;
    let names = directories.iter().map(|(_, name)| name.as_str());
    let (index, rest) = longest(names, &wanted).ok_or_else(|| {
        let message = format!("no directory given to this component holds {}", path.display());
        (ErrorCode::NotFound, message)
    })?;
    Ok((&directories[index].0, rest))
}

/// Picks the name that covers most of the path, and returns its index and the
/// rest of the path, `.` if there is none.
fn longest<'a>(names: impl Iterator<Item = &'a str>, path: &[&str]) -> Option<(usize, String)> {
    names
        .enumerate()
        .filter_map(|(index, name)| Some((index, components(Path::new(name))?)))
        .filter(|(_, name)| path.starts_with(name))
        .max_by_key(|(_, name)| name.len())
        .map(|(index, name)| match &path[name.len()..] {
            [] => (index, ".".to_owned()),
            rest => (index, rest.join("/")),
        })
}

/// The path's names from `/` on. `..` stays: whether it leads out of a
/// directory is for the host to see, which knows the symbolic links.
fn components(path: &Path) -> Option<Vec<&str>> {
    path.components()
        .filter(|component| !matches!(component, Component::RootDir | Component::CurDir))
        .map(|component| component.as_os_str().to_str())
        .collect()
}

fn from_host(code: types::ErrorCode, path: &Path) -> io::Error {
    use types::ErrorCode as Code;
    let kind = match code {
        Code::Access | Code::NotPermitted => ErrorKind::PermissionDenied,
        Code::Exist => ErrorKind::AlreadyExists,
        Code::IllegalByteSequence | Code::Invalid => ErrorKind::InvalidInput,
        Code::IsDirectory => ErrorKind::IsADirectory,
        Code::NameTooLong => ErrorKind::InvalidFilename,
        Code::NoEntry => ErrorKind::NotFound,
        Code::NotDirectory => ErrorKind::NotADirectory,
        Code::InsufficientSpace => ErrorKind::StorageFull,
        Code::ReadOnly => ErrorKind::ReadOnlyFilesystem,
        Code::Unsupported => ErrorKind::Unsupported,
        _ => ErrorKind::Other,
    };
    let path = path.display();
    let message = match kind {
        ErrorKind::Other => format!("{path}: {}", code.name()),
        kind => format!("{path}: {kind}"),
    };
    io::Error::new(kind, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(names: &[&str], path: &str) -> Option<(usize, String)> {
        longest(names.iter().copied(), &components(Path::new(path)).unwrap())
    }

    #[test]
    fn the_longest_directory_wins() {
        let names = ["/", "/repo", "/repo/target", "/re"];
        assert_eq!(find(&names, "/repo/src/x"), Some((1, "src/x".into())));
        assert_eq!(find(&names, "/repo/target/"), Some((2, ".".into())));
        assert_eq!(find(&names, "/repository"), Some((0, "repository".into())));
        assert_eq!(find(&names, "re/./x"), Some((3, "x".into())));
        assert_eq!(find(&["."], "/src"), Some((0, "src".into())));
        assert_eq!(find(&["/repo"], "/src"), None);
        assert_eq!(find(&[], "/"), None);
    }

    #[test]
    fn a_way_up_is_left_to_the_host() {
        assert_eq!(find(&["/repo"], "/repo/../etc"), Some((0, "../etc".into())));
    }
}
