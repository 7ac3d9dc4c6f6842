//! The ways to start a program.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use offspring::cgroup::Place;
use offspring::request::Request;

use crate::floor;
use crate::host::{self, GuestWork, Host, How};
use crate::work::Work;

/// A way to start a program and wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Method {
    /// clone3, execve, waitid.
    Floor,
    /// `offspring-spawn`.
    Engine,
    /// A host, through the crate `offspring` and its policy.
    Embedder,
    /// A guest, through the SDK, the contract and the policy.
    Guest,
    /// The same, with a handle between its start and its end.
    Handle,
    /// The same in a host that has another thread start the children.
    Lane,
    /// The same in a host that gives each child a cgroup of its own.
    Grouped,
    /// A guest that uses all its words, under a policy with every kind of rule, in a
    /// sandbox and in a group.
    Policed,
    /// The same by a lane.
    PolicedLane,
    /// The same command under a policy that only names the program.
    Unpoliced,
    /// `posix_spawn` of the C library.
    PosixSpawn,
    /// `std::process::Command`.
    Std,
    /// `tokio::process::Command`.
    Tokio,
    /// `async_process::Command`.
    AsyncProcess,
    /// `fork` and `execve`.
    Fork,
    /// The shell.
    Shell,
    /// `offspring run` of a component.
    Wasm,
    /// `offspring run` of a component that was compiled ahead of time.
    Cwasm,
}

/// Does the work this often, and returns how many nanoseconds it took each time.
pub type Batch = Box<dyn FnMut(u32) -> Result<Vec<u64>> + Send>;

/// A program with its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    pub path: PathBuf,
    pub args: Vec<String>,
}

impl Method {
    /// Its name on the command line and in what is reported.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Prepares to start a program again and again and to wait for it. The
    /// directory is that of the run.
    pub fn prepare(self, work: Work, directory: &Path) -> Result<Batch> {
        let program = work.program(directory);
        let Program { path, args } = program.clone();
        let whole = work != Work::Start;
        // All of them do not inherit streams, and pass no variables.
        Ok(match self {
            Method::Guest | Method::Lane | Method::Grouped if work == Work::Held => {
                held(directory, program, self.how()?)?
            }
            Method::Guest | Method::Lane | Method::Grouped => {
                guest(directory, program, work.of_guest(), self.how()?)?
            }
            Method::Policed | Method::PolicedLane => {
                guest(directory, program, GuestWork::Policed, self.how()?)?
            }
            Method::Handle => guest(directory, program, GuestWork::Handle, self.how()?)?,
            Method::Unpoliced => guest(directory, program, GuestWork::Unpoliced, self.how()?)?,
            Method::Embedder => {
                let context = host::context(&program.path, None)?;
                let request = Request { program: host::PROGRAM.into(), args, ..Request::default() };
                Box::new(move |count| {
                    measure(count, whole, |started| {
                        let child = context.spawn(request.clone())?;
                        started();
                        ensure!(child.wait()?.status.success(), "it fails");
                        Ok(())
                    })
                })
            }
            Method::Floor => {
                let program = c_program(&program)?;
                Box::new(move |count| measure(count, whole, |now| floor::clone3(&program, now)))
            }
            Method::PosixSpawn => {
                let program = c_program(&program)?;
                Box::new(move |count| {
                    measure(count, whole, |now| floor::posix_spawn(&program, now))
                })
            }
            Method::Fork => {
                let program = c_program(&program)?;
                Box::new(move |count| measure(count, whole, |now| floor::fork(&program, now)))
            }
            Method::Engine => {
                let opened = offspring_spawn::Program::open(path)?;
                let mut command = offspring_spawn::Command::new(&opened);
                command.args(args);
                if whole {
                    command.patience(Duration::MAX);
                }
                Box::new(move |count| {
                    measure(count, whole, |started| {
                        let child = command.spawn()?;
                        started();
                        ensure!(child.wait()?.status.success(), "it fails");
                        Ok(())
                    })
                })
            }
            Method::Std => Box::new(move |count| {
                measure(count, whole, |started| {
                    let mut command = std::process::Command::new(&path);
                    command.args(&args).env_clear();
                    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                    let mut child = command.spawn()?;
                    started();
                    ensure!(child.wait()?.success(), "it fails");
                    Ok(())
                })
            }),
            Method::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                Box::new(move |count| {
                    measure(count, whole, |started| {
                        runtime.block_on(async {
                            let mut command = tokio::process::Command::new(&path);
                            command.args(&args).env_clear().stdin(Stdio::null());
                            command.stdout(Stdio::null()).stderr(Stdio::null());
                            let mut child = command.spawn()?;
                            started();
                            ensure!(child.wait().await?.success(), "it fails");
                            Ok(())
                        })
                    })
                })
            }
            Method::AsyncProcess => Box::new(move |count| {
                measure(count, whole, |started| {
                    futures_lite::future::block_on(async {
                        let mut command = async_process::Command::new(&path);
                        command.args(&args).env_clear().stdin(Stdio::null());
                        command.stdout(Stdio::null()).stderr(Stdio::null());
                        let mut child = command.spawn()?;
                        started();
                        ensure!(child.status().await?.success(), "it fails");
                        Ok(())
                    })
                })
            }),
            Method::Shell | Method::Wasm | Method::Cwasm => {
                bail!("{} starts no single program here", self.name())
            }
        })
    }
}

fn c_program(program: &Program) -> Result<floor::Program> {
    let path = program.path.to_str().context("a path in UTF-8")?;
    let argv = [path].into_iter().chain(program.args.iter().map(String::as_str));
    let argv: Vec<CString> = argv.map(CString::new).collect::<Result<_, _>>()?;
    Ok(floor::Program::new(argv))
}

impl Method {
    /// How the host of a guest has its children.
    fn how(self) -> Result<How> {
        let place = match self {
            Method::Grouped => Some(Place::find()?),
            _ => None,
        };
        Ok(How { lane: matches!(self, Method::Lane | Method::PolicedLane), place })
    }
}

/// A guest, which measures itself.
pub fn guest(directory: &Path, program: Program, work: GuestWork, how: How) -> Result<Batch> {
    let mut host = Host::start(directory, &program.path, how)?;
    Ok(Box::new(move |count| host.measure(work, &program.args, count)))
}

/// A guest, whose host measures itself.
fn held(directory: &Path, program: Program, how: How) -> Result<Batch> {
    let mut host = Host::start(directory, &program.path, how)?;
    Ok(Box::new(move |count| Ok(vec![host.held(GuestWork::Spawn, &program.args, count)?])))
}

/// Does something this often: nanoseconds of all of it, or until it says that
/// the program was started.
pub fn measure(
    count: u32,
    whole: bool,
    mut body: impl FnMut(&mut dyn FnMut()) -> Result<()>,
) -> Result<Vec<u64>> {
    let once = |_| {
        let start = Instant::now();
        let mut end = start;
        body(&mut || end = Instant::now())?;
        if whole {
            end = Instant::now();
        }
        Ok(u64::try_from((end - start).as_nanos())?)
    };
    (0..count).map(once).collect()
}
