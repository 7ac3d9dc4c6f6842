//! An archive as Linux unpacks it into memory when it starts: cpio, `newc`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes files into an archive, each after the directories that it lies in.
pub struct Archive<W> {
    out: W,
    written: u64,
    inode: u32,
    made: BTreeSet<String>,
}

const DIRECTORY: u32 = 0o040_755;
const OPEN_DIRECTORY: u32 = 0o041_777;
const SYMBOLIC_LINK: u32 = 0o120_777;
const PROGRAM: u32 = 0o100_755;
const TEXT: u32 = 0o100_644;

impl<W: Write> Archive<W> {
    pub fn new(out: W) -> Archive<W> {
        Archive { out, written: 0, inode: 0, made: BTreeSet::new() }
    }

    /// Makes a directory, unless it is there: one for everybody's files where it is
    /// called `tmp`.
    pub fn directory(&mut self, path: &str) -> io::Result<()> {
        if let Some((above, _)) = path.rsplit_once('/')
            && !above.is_empty()
        {
            self.directory(above)?;
        }
        match self.made.insert(path.to_owned()) {
            true if path.ends_with("/tmp") => self.entry(path, OPEN_DIRECTORY, b""),
            true => self.entry(path, DIRECTORY, b""),
            false => Ok(()),
        }
    }

    /// Puts a file of this machine at a path, unless something is there. It may be
    /// executed if it may here.
    pub fn file(&mut self, from: &Path, path: &str) -> io::Result<()> {
        if self.made.contains(path) {
            return Ok(());
        }
        let is_program = fs::metadata(from)?.permissions().mode() & 0o111 != 0;
        self.place(path)?;
        self.entry(path, if is_program { PROGRAM } else { TEXT }, &fs::read(from)?)
    }

    /// Puts a file with this content at a path.
    pub fn text(&mut self, path: &str, content: &str) -> io::Result<()> {
        self.place(path)?;
        self.entry(path, TEXT, content.as_bytes())
    }

    pub fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.place(path)?;
        self.entry(path, SYMBOLIC_LINK, target.as_bytes())
    }

    /// Ends the archive.
    pub fn finish(mut self) -> io::Result<()> {
        self.entry("/TRAILER!!!", 0, b"")?;
        self.out.flush()
    }

    fn place(&mut self, path: &str) -> io::Result<()> {
        if let Some((above, _)) = path.rsplit_once('/')
            && !above.is_empty()
        {
            self.directory(above)?;
        }
        self.made.insert(path.to_owned());
        Ok(())
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        let name = path.trim_start_matches('/').as_bytes();
        self.inode += 1;
        let size = |length: usize| {
            u32::try_from(length).map_err(|_| io::Error::other("too large for an archive"))
        };
        let fields = [
            self.inode,
            mode,
            0, // user
            0, // group
            1, // links
            0, // time
            size(content.len())?,
            0, // device
            0,
            0, // device that it stands for
            0,
            size(name.len() + 1)?,
            0, // checksum, which this kind does not have
        ];
        let header: String = fields.iter().map(|field| format!("{field:08x}")).collect();
        self.write(b"070701")?;
        self.write(header.as_bytes())?;
        self.write(name)?;
        self.write(b"\0")?;
        self.align()?;
        self.write(content)?;
        self.align()
    }

    fn align(&mut self) -> io::Result<()> {
        while !self.written.is_multiple_of(4) {
            self.write(b"\0")?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_first_and_everything_is_aligned() {
        let mut bytes = Vec::new();
        let mut archive = Archive::new(&mut bytes);
        archive.text("/a/b/c", "12345").unwrap();
        archive.directory("/a").unwrap();
        archive.link("/a/l", "b").unwrap();
        archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8(bytes).unwrap();
        let names: Vec<_> = ["a\0", "a/b\0", "a/b/c\0", "12345\0", "a/l\0", "TRAILER!!!\0"]
            .iter()
            .map(|name| text.find(name).unwrap())
            .collect();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(text.matches("070701").count(), 5);
    }
}
