//! The `#!` line of a script, and what it names.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::executable::Executable;
use crate::search::search_in;

/// How many bytes of a file the kernel looks at for its `#!` line.
pub(crate) const HEAD: usize = 256;

/// How many interpreters may stand behind each other, as the kernel has it.
pub(crate) const NESTED_MAX: usize = 4;

/// What interprets a script, opened with it.
#[derive(Debug, Clone)]
pub(crate) struct Interpreter {
    pub(crate) file: Executable,
    /// As the script names it.
    pub(crate) name: CString,
    /// What the script gives it before the script itself.
    pub(crate) argument: Option<CString>,
}

/// Why a script's interpreter cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterpreterError {
    /// The script, which may be an interpreter itself.
    pub script: PathBuf,
    /// What it says behind `#!`, without the arguments.
    pub interpreter: OsString,
    /// Why.
    pub reason: InterpreterReason,
}

/// See [`InterpreterError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterpreterReason {
    /// It cannot be opened or executed.
    Errno(Errno),
    /// `env` is to look for it, and no directory has it.
    NotFound(Errno),
    /// There is none behind `#!`, or the kernel does not see all of its name.
    Missing,
    /// It is relative, so that it would depend on the directory.
    Relative,
    /// `env` has to look for it when it runs, with options or variables of its
    /// own.
    Env,
    /// Scripts interpret each other more than four times.
    Nested,
}

impl fmt::Display for InterpreterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (script, interpreter) = (self.script.display(), self.interpreter.display());
        match self.reason {
            InterpreterReason::Errno(errno) => {
                write!(f, "the interpreter of {script}, {interpreter}: {errno}")
            }
            InterpreterReason::NotFound(errno) => {
                write!(f, "the interpreter that {script} has {interpreter} look for: {errno}")
            }
            InterpreterReason::Missing => {
                write!(f, "{script} names no interpreter within its first {HEAD} bytes")
            }
            InterpreterReason::Relative => {
                write!(f, "the interpreter of {script} must be absolute, not {interpreter}")
            }
            InterpreterReason::Env => write!(
                f,
                "{script} lets {interpreter} look for its interpreter with options or variables; \
                 write `#!{interpreter} NAME`, or the interpreter's path"
            ),
            InterpreterReason::Nested => {
                write!(f, "{script} is interpreted by too many scripts")
            }
        }
    }
}

impl std::error::Error for InterpreterError {}

/// What stands behind `#!`, as the kernel reads it.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    interpreter: &'a [u8],
    argument: Option<&'a [u8]>,
}

/// Reads the line at the beginning of a file, of which this is at most [`HEAD`]
/// bytes; `None` for what is no script. As `load_script` of Linux: blanks are
/// spaces and tabs, all behind the first word is one argument, and a name that
/// may go on behind the bytes that are seen is none.
fn parse(head: &[u8]) -> Option<Result<Line<'_>, InterpreterReason>> {
    let rest = head.strip_prefix(b"#!")?;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let end = rest.iter().position(|byte| *byte == b'\n');
    let is_cut = end.is_none() && head.len() == HEAD;
    let line = &rest[..end.unwrap_or(rest.len())];
    let line = &line[..line.iter().position(|byte| *byte == 0).unwrap_or(line.len())];
    let line = line.without_blanks(is_blank);
    let Some(stop) = line.iter().position(is_blank) else {
        return Some(match line.is_empty() || is_cut {
            true => Err(InterpreterReason::Missing),
            false => Ok(Line { interpreter: line, argument: None }),
        });
    };
    let (interpreter, argument) = line.split_at(stop);
    let argument = argument.without_blanks(is_blank);
    let last = argument.iter().rposition(|byte| !is_blank(byte));
    let argument = last.map(|last| &argument[..=last]);
    Some(Ok(Line { interpreter, argument }))
}

/// The path behind `#!` in the beginning of a file; `None` for what is no script, or
/// names none.
pub(crate) fn interpreter(head: &[u8]) -> Option<&[u8]> {
    parse(head)?.ok().map(|line| line.interpreter)
}

trait Trim {
    fn without_blanks(&self, is_blank: impl Fn(&u8) -> bool) -> &[u8];
}

impl Trim for [u8] {
    fn without_blanks(&self, is_blank: impl Fn(&u8) -> bool) -> &[u8] {
        let start = self.iter().position(|byte| !is_blank(byte)).unwrap_or(self.len());
        &self[start..]
    }
}

/// Opens what interprets a script, and what interprets that, and so on up to what
/// is no script.
pub(crate) fn interpreters(
    script: &Executable,
    directories: &OsStr,
) -> Result<Vec<Interpreter>, InterpreterError> {
    let mut found: Vec<Interpreter> = Vec::new();
    loop {
        let this = found.last().map_or(script, |interpreter| &interpreter.file);
        let Some(line) = this.script().and_then(parse) else { return Ok(found) };
        let error = |interpreter: &[u8], reason| InterpreterError {
            script: this.path().to_owned(),
            interpreter: OsStr::from_bytes(interpreter).to_owned(),
            reason,
        };
        let line = line.map_err(|reason| error(b"", reason))?;
        if found.len() == NESTED_MAX {
            return Err(error(line.interpreter, InterpreterReason::Nested));
        }
        let next = open(&line, directories).map_err(|reason| error(line.interpreter, reason))?;
        found.push(next);
    }
}

fn open(line: &Line<'_>, directories: &OsStr) -> Result<Interpreter, InterpreterReason> {
    let path = Path::new(OsStr::from_bytes(line.interpreter));
    if !path.is_absolute() {
        return Err(InterpreterReason::Relative);
    }
    // A line has no NUL.
    let string = |text: &[u8]| CString::new(text).map_err(|_| InterpreterReason::Missing);
    if path.file_name() != Some("env".as_ref()) {
        let open = || {
            let file = Executable::open(path)?;
            file.check_executable().map(|()| file)
        };
        let file = open().map_err(InterpreterReason::Errno)?;
        let argument = line.argument.map(string).transpose()?;
        return Ok(Interpreter { file, name: string(line.interpreter)?, argument });
    }
    // What env would look for when it runs is looked for now.
    let is_odd = |byte: &u8| matches!(byte, b' ' | b'\t' | b'=' | b'/');
    let is_name = |name: &&[u8]| !name.starts_with(b"-") && !name.iter().any(is_odd);
    let name = line.argument.filter(is_name).ok_or(InterpreterReason::Env)?;
    let file = search_in(OsStr::from_bytes(name), directories);
    let file = file.map_err(InterpreterReason::NotFound)?;
    Ok(Interpreter { file, name: string(name)?, argument: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parsed<'a> = Option<Result<(&'a str, Option<&'a str>), InterpreterReason>>;

    fn line(head: &str) -> Parsed<'_> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        let parsed = parse(head.as_bytes())?;
        Some(parsed.map(|line| (text(line.interpreter), line.argument.map(text))))
    }

    #[test]
    fn lines_as_the_kernel_reads_them() {
        let is = |interpreter, argument| Some(Ok((interpreter, argument)));
        let missing = Some(Err(InterpreterReason::Missing));
        let table = [
            ("#!/bin/sh\nrest", is("/bin/sh", None)),
            ("#!/bin/sh", is("/bin/sh", None)),
            ("#! \t /bin/sh \t \n", is("/bin/sh", None)),
            ("#!/bin/sh -e -u \nx", is("/bin/sh", Some("-e -u"))),
            ("#!/bin/sh\t-e", is("/bin/sh", Some("-e"))),
            ("#!/bin/sh\r\n", is("/bin/sh\r", None)),
            ("#!/bin/sh\0x\n", is("/bin/sh", None)),
            ("#!sh\n", is("sh", None)),
            ("#!\n/bin/sh", missing),
            ("#!  \t", missing),
            ("#!", Some(Err(InterpreterReason::Missing))),
            ("# !/bin/sh", None),
            ("\u{7f}ELF", None),
            ("", None),
        ];
        for (head, expected) in table {
            assert_eq!(line(head), expected, "{head:?}");
        }
    }

    #[test]
    fn first_words() {
        for (line, name) in [
            ("/bin/sh\nrest", Some("/bin/sh")),
            (" \t/usr/bin/env python3 -u\n", Some("/usr/bin/env")),
            ("/bin/sh", Some("/bin/sh")),
            ("/bin/sh\0-x", Some("/bin/sh")),
            ("", None),
            ("  \n/bin/sh", None),
        ] {
            let head = format!("#!{line}");
            assert_eq!(interpreter(head.as_bytes()), name.map(str::as_bytes), "{line:?}");
        }
        assert_eq!(interpreter(b"\x7fELF"), None);
    }

    #[test]
    fn a_name_that_may_go_on_is_none() {
        let long = |length: usize| format!("#!/{}", "x".repeat(length - 3));
        assert!(line(&long(HEAD - 1)).unwrap().is_ok());
        assert_eq!(line(&long(HEAD)), Some(Err(InterpreterReason::Missing)));
        // An argument is cut off, which the kernel does not mind.
        let cut = format!("#!/bin/sh {}", "x".repeat(HEAD));
        let (name, argument) = line(&cut[..HEAD]).unwrap().unwrap();
        assert_eq!((name, argument.unwrap().len()), ("/bin/sh", HEAD - 10));
    }
}
