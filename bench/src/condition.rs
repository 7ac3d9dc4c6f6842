//! What a measuring process is like.

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use offspring_spawn::{Child, Command, Program};
use rustix::process::{Resource, getrlimit, setrlimit};

/// What a measuring process has besides what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// Nothing.
    Small,
    /// So many MiB of memory, every page of it touched.
    Memory(u32),
    /// So many open descriptors.
    Descriptors(u32),
    /// So many live children.
    Children(u32),
    /// Two threads that do the same: nanoseconds of one thread's.
    Threads,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Small => f.write_str("small"),
            Condition::Memory(mebibytes) => write!(f, "memory:{mebibytes}"),
            Condition::Descriptors(count) => write!(f, "descriptors:{count}"),
            Condition::Children(count) => write!(f, "children:{count}"),
            Condition::Threads => f.write_str("threads"),
        }
    }
}

impl FromStr for Condition {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Condition> {
        let (name, size) = text.split_once(':').unwrap_or((text, "0"));
        let size = size.parse()?;
        Ok(match name {
            "small" => Condition::Small,
            "memory" => Condition::Memory(size),
            "descriptors" => Condition::Descriptors(size),
            "children" => Condition::Children(size),
            "threads" => Condition::Threads,
            other => bail!("no condition {other}"),
        })
    }
}

/// What makes a process as its condition says, as long as it is held.
#[derive(Debug, Default)]
pub struct Prepared {
    _memory: Vec<u8>,
    _files: Vec<File>,
    _children: Vec<Child>,
}

impl Condition {
    /// Makes this process so. The directory is that of the run.
    pub fn prepare(self, directory: &Path) -> Result<Prepared> {
        let mut prepared = Prepared::default();
        raise_limit();
        match self {
            Condition::Small | Condition::Threads => {}
            Condition::Memory(mebibytes) => {
                let bytes = usize::try_from(mebibytes)? << 20;
                prepared._memory = black_box(vec![1; bytes]);
            }
            Condition::Descriptors(count) => {
                let files = (0..count).map(|_| File::open("/dev/null"));
                prepared._files = files.collect::<Result<_, _>>()?;
            }
            Condition::Children(count) => {
                let program = Program::open(directory.join("idle"))?;
                let command = Command::new(&program);
                let children = (0..count).map(|_| command.spawn());
                prepared._children =
                    children.collect::<Result<_, _>>().context("cannot start children")?;
            }
        }
        Ok(prepared)
    }
}

/// As many descriptors as this process may have. Where that is not enough, what
/// needs them says so.
fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}
