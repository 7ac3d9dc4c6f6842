//! The command line.

use std::env;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use offspring::policy::Sandbox;
use wasmtime_wasi::FsPerms;

/// Runs WebAssembly components that start real Linux processes, which the
/// command line or a policy file grants.
#[derive(Debug, Parser)]
#[command(name = "offspring", version, about, max_term_width = 100)]
pub struct Args {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Subcommand)]
pub enum Action {
    /// Run a component; the exit code is the component's.
    Run(RunArgs),
    /// Compile a component ahead of time, so that it starts at once.
    Compile(CompileArgs),
    /// Say what this machine offers to children, and how to get what is missing.
    Doctor,
    /// Look at policies.
    #[command(subcommand)]
    Policy(PolicyAction),
}

#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Say what a policy amounts to and what is dangerous in it, or why it allows
    /// a request or not.
    Check(CheckArgs),
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Exit codes: 0; 1 when the request is denied; 2 when the policy cannot be used.

Examples:
  offspring policy check policy.toml
  offspring policy check policy.toml --dir .::/src --cwd /src --stdout piped \\
      --explain git log -1 --format=%at")]
pub struct CheckArgs {
    /// The policy file.
    pub file: PathBuf,

    /// A directory that the component will have, as for `offspring run`: what it
    /// may write to must not hold what it may start.
    #[arg(long, value_name = "HOST[::GUEST[::ro]]", value_parser = directory)]
    pub dir: Vec<Directory>,

    /// Why this request is allowed or denied, rule by rule: the name of a grant, and
    /// the arguments behind it. The last option: the others describe the request.
    #[arg(long, value_names = ["PROGRAM", "ARG"], num_args = 1.., allow_hyphen_values = true)]
    pub explain: Vec<String>,

    /// A variable that the component sets for the program.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<Variable>,

    /// The directory that the component chooses to run it in, by its own path.
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<String>,

    /// Its standard input: null, inherit, piped, file or terminal.
    #[arg(long, value_name = "KIND")]
    pub stdin: Option<String>,

    /// Its standard output.
    #[arg(long, value_name = "KIND")]
    pub stdout: Option<String>,

    /// Its standard error.
    #[arg(long, value_name = "KIND")]
    pub stderr: Option<String>,

    /// Whether it is to live on without its handle.
    #[arg(long)]
    pub detach: bool,

    /// The group that the component chooses.
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Without --allow and --policy the component may start nothing. --allow, --sandbox, --dir,
--env and --child-env may be given several times.

Exit codes: the component's own (a Rust component exits with more than 0 or 1 only through
offspring_guest::exit); 134 when it traps; 125 when this tool fails; 128 + N when signal N
ends it.

Examples:
  offspring run --allow git hello.wasm
  offspring run --allow cc=/usr/bin/cc --sandbox execute=/usr --child-env PATH \
    --child-env TMPDIR=. --dir .::/ build.wasm -- --release
  offspring run --allow git --audit audit.jsonl hello.wasm
  offspring run --policy policy.toml --dir .::/repo ci.wasm -- /repo/.github/workflows/ci.yml")]
pub struct RunArgs {
    /// What the component may start: a policy file.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// A program that the component may start with any arguments; without a
    /// path it is looked for on $PATH, once.
    #[arg(long, value_name = "NAME[=PATH]", value_parser = name_and_path)]
    pub allow: Vec<(String, PathBuf)>,

    /// A variable of the environment of every program granted by --allow, which
    /// otherwise is empty; without a value, this tool's own one.
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable)]
    pub child_env: Vec<Variable>,

    /// What every program granted by --allow can reach besides the directories of
    /// --dir and what it needs of the system: a word of a policy's `sandbox`, such as
    /// execute=/usr, write=/tmp or network=allow; or `none`, for all that the user can.
    #[arg(long, value_name = "WORD", value_parser = sandbox_word)]
    pub sandbox: Vec<SandboxWord>,

    /// A directory that the component may use, and the name that it has there;
    /// with `::ro` behind the name, only to read.
    #[arg(long, value_name = "HOST[::GUEST[::ro]]", value_parser = directory)]
    pub dir: Vec<Directory>,

    /// A variable of the component's own environment; without a value, this
    /// tool's own one.
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = variable)]
    pub env: Vec<Variable>,

    /// A file to append what the component starts, signals and is refused to, one
    /// JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub audit: Option<PathBuf>,

    /// The component: a `.wasm`, or a `.cwasm` as `offspring compile` makes it.
    /// A `.cwasm` is machine code, and trusted like a program.
    pub component: PathBuf,

    /// The component's arguments; `--` before them is not needed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub args: Vec<String>,
}

/// A variable of an environment. Without a value there is no variable: this
/// tool has none of that name either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub value: Option<String>,
}

/// A directory of the host that the component may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    pub host: PathBuf,
    pub guest: String,
    pub perms: FsPerms,
}

#[derive(Debug, ClapArgs)]
pub struct CompileArgs {
    /// The component to compile.
    pub component: PathBuf,

    /// Where to put the result; next to the component by default.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// What to compile for, such as `x86_64-unknown-linux-gnu`: then it runs on
    /// every processor of that kind, not only on those that have all that this one
    /// has.
    #[arg(long, value_name = "TRIPLE")]
    pub target: Option<String>,
}

fn name_and_path(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) => (name, path),
        None if text.contains('/') => {
            return Err(format!("give it a name, as in NAME={text}"));
        }
        None => (text, text),
    };
    match (name.is_empty(), path.is_empty()) {
        (true, _) => Err("the name is missing".to_owned()),
        (_, true) => Err("the path behind `=` is missing".to_owned()),
        (false, false) => Ok((name.to_owned(), path.into())),
    }
}

fn variable(text: &str) -> Result<Variable, String> {
    match text.split_once('=') {
        Some(("", _)) => Err("the name is missing".to_owned()),
        None if text.is_empty() => Err("the name is missing".to_owned()),
        Some((name, value)) => {
            Ok(Variable { name: name.to_owned(), value: Some(value.to_owned()) })
        }
        None => Ok(Variable { name: text.to_owned(), value: env::var(text).ok() }),
    }
}

/// A word of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxWord {
    /// There is no sandbox.
    None,
    /// A key and a value.
    Set(String, String),
}

impl SandboxWord {
    /// Changes a sandbox.
    pub fn apply(&self, sandbox: Sandbox) -> Result<Sandbox, String> {
        match self {
            SandboxWord::None => Ok(Sandbox::none()),
            SandboxWord::Set(key, value) => sandbox.set(key, value),
        }
    }
}

fn sandbox_word(text: &str) -> Result<SandboxWord, String> {
    let word = match text.split_once('=') {
        Some((key, value)) => SandboxWord::Set(key.to_owned(), value.to_owned()),
        None if text == "none" => SandboxWord::None,
        None => return Err("say KEY=VALUE, or `none`".to_owned()),
    };
    word.apply(Sandbox::new()).map(|_| word)
}

fn directory(text: &str) -> Result<Directory, String> {
    let mut parts = text.split("::");
    let host = parts.next().unwrap_or_default();
    let guest = parts.next().unwrap_or(host);
    let perms = match (parts.next(), parts.next()) {
        (None, _) => FsPerms::ReadWrite,
        (Some("ro"), None) => FsPerms::ReadOnly,
        (Some(_), _) => return Err("behind the second `::` only `ro` may stand".to_owned()),
    };
    match (host.is_empty(), guest.is_empty()) {
        (true, _) => Err("the directory is missing".to_owned()),
        (_, true) => Err("the name behind `::` is missing".to_owned()),
        (false, false) => Ok(Directory { host: host.into(), guest: guest.to_owned(), perms }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn values() {
        assert_eq!(name_and_path("git"), Ok(("git".into(), "git".into())));
        assert_eq!(name_and_path("g=/bin/git"), Ok(("g".into(), "/bin/git".into())));
        let dir = |host: &str, guest: &str, perms| {
            Ok(Directory { host: host.into(), guest: guest.into(), perms })
        };
        assert_eq!(directory(".::/repo"), dir(".", "/repo", FsPerms::ReadWrite));
        assert_eq!(directory("/data"), dir("/data", "/data", FsPerms::ReadWrite));
        assert_eq!(directory(".::/src::ro"), dir(".", "/src", FsPerms::ReadOnly));
        let is = |name: &str, value: Option<&str>| {
            Ok(Variable { name: name.into(), value: value.map(str::to_owned) })
        };
        assert_eq!(variable("A=b=c"), is("A", Some("b=c")));
        assert_eq!(variable("A="), is("A", Some("")));
        assert_eq!(variable("PATH"), is("PATH", env::var("PATH").ok().as_deref()));
        assert_eq!(variable("OFFSPRING_NOT_SET"), is("OFFSPRING_NOT_SET", None));
        for bad in ["=x", "x=", "/bin/git"] {
            assert!(name_and_path(bad).is_err(), "{bad}");
        }
        for bad in ["", "::/x", "x::", "x::::ro", "x::/y::rw", "x::/y::ro::", "x::/y::"] {
            assert!(directory(bad).is_err(), "{bad}");
        }
        assert_eq!(sandbox_word("none"), Ok(SandboxWord::None));
        assert_eq!(sandbox_word("read=/a=b"), Ok(SandboxWord::Set("read".into(), "/a=b".into())));
        for bad in ["", "read", "read=a", "files=some", "execut=/usr", "sandbox=none"] {
            assert!(sandbox_word(bad).is_err(), "{bad}");
        }
        for bad in ["", "=x"] {
            assert!(variable(bad).is_err(), "{bad}");
        }
    }
}
