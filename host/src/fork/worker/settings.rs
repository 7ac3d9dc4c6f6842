//! What a worker's guest is given, in a form that goes from one process to another.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};

use super::message::nonsense;
use crate::ctx::{ProcessCtx, ProcessCtxBuilder};
use crate::fork::configure;
use crate::policy::{Policy, PolicyError};

/// What the guest of a worker is given: its policy, as the text that people write,
/// and what WASI gives it. An embedder says it, [`Job::settings`](super::Job::settings)
/// takes it along, and the worker makes [builders](Settings::builders) from it.
///
/// By default it is nothing: a policy that allows nothing, no argument, no variable
/// and no directory.
///
/// ```
/// use std::fs::File;
/// use offspring::fork::{Job, Settings};
/// use wasmtime_wasi::FsPerms;
///
/// let settings = Settings::new("fork = { max = 8 }")
///     .arg("server")
///     .env("LANG", "C.UTF-8")
///     .preopened_dir(File::open("/usr/share")?, "/share", FsPerms::ReadOnly);
/// let job = Job::new("").settings(settings);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Settings {
    policy: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    directories: Vec<Directory>,
}

#[derive(Debug)]
struct Directory {
    opened: OwnedFd,
    path: String,
    perms: FsPerms,
}

/// Why a worker cannot give its guest what it was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The policy is none, or cannot be used here.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A directory cannot be given to the guest.
    #[error("cannot give the guest {path}: {error}")]
    Directory {
        /// The guest's name of it.
        path: String,
        /// Why not.
        error: wasmtime::Error,
    },
    /// The standard input cannot be duplicated.
    #[error("cannot use the standard input: {0}")]
    Stdin(io::Error),
}

/// How they are written, but for the descriptors: as JSON.
type Written = (String, Vec<String>, Vec<(String, String)>, Vec<(String, bool)>);

impl Settings {
    /// Starts with the text of a policy, as [`Policy::parse`] reads it. The worker
    /// does, and opens what it names, so that paths are the worker's.
    pub fn new(policy: impl Into<String>) -> Settings {
        Settings { policy: policy.into(), ..Settings::default() }
    }

    /// Adds an argument. The first one is the guest's own name.
    pub fn arg(mut self, arg: impl Into<String>) -> Settings {
        self.args.push(arg.into());
        self
    }

    /// Sets a variable of the guest's environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Settings {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Gives the guest a directory, which was opened, under this name. It counts as one of
    /// the descriptors of the job.
    pub fn preopened_dir(
        mut self,
        directory: impl Into<OwnedFd>,
        guest_path: impl Into<String>,
        perms: FsPerms,
    ) -> Settings {
        let (opened, path) = (directory.into(), guest_path.into());
        self.directories.push(Directory { opened, path, perms });
        self
    }

    /// In the worker: what to build the guest's contexts with. They have the policy,
    /// the arguments, the environment, the directories, and the worker's standard
    /// streams; WASI is prepared for forks, as by [`configure`], and programs die with the
    /// worker ([`die_with_thread`](ProcessCtxBuilder::die_with_thread)). What else the
    /// embedder wants can be added. These settings are to be kept until both are built.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn builders(&self) -> Result<(ProcessCtxBuilder, WasiCtxBuilder), SettingsError> {
        let policy = Policy::parse("policy", &self.policy)?;
        let mut process = ProcessCtx::builder().policy(policy).die_with_thread(true);
        let mut wasi = WasiCtx::builder();
        configure(wasi.inherit_stdio()).map_err(SettingsError::Stdin)?;
        wasi.args(&self.args).envs(&self.env);
        for Directory { opened, path, perms } in &self.directories {
            let host = format!("/proc/self/fd/{}", opened.as_raw_fd());
            wasi.preopened_dir(&host, path, *perms)
                .map_err(|error| SettingsError::Directory { path: path.clone(), error })?;
            process = process.preopened_dir(host, path, *perms);
        }
        Ok((process, wasi))
    }

    /// Takes them apart into bytes and descriptors.
    pub(super) fn into_parts(self) -> (Vec<u8>, Vec<OwnedFd>) {
        let (mut directories, mut files) = (Vec::new(), Vec::new());
        for Directory { opened, path, perms } in self.directories {
            directories.push((path, perms == FsPerms::ReadWrite));
            files.push(opened);
        }
        let written: Written = (self.policy, self.args, self.env, directories);
        (serde_json::to_vec(&written).expect("strings are always written"), files)
    }

    /// Puts them together again, taking as many of the descriptors as there are
    /// directories.
    pub(super) fn from_parts(
        bytes: &[u8],
        files: &mut impl Iterator<Item = OwnedFd>,
    ) -> io::Result<Settings> {
        let (policy, args, env, directories): Written =
            serde_json::from_slice(bytes).map_err(|_| nonsense())?;
        let directories = directories.into_iter().map(|(path, is_written)| {
            let perms = if is_written { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
            Ok(Directory { opened: files.next().ok_or_else(nonsense)?, path, perms })
        });
        let directories = directories.collect::<io::Result<_>>()?;
        Ok(Settings { policy, args, env, directories })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn there_and_back() {
        let directory = File::open("/").unwrap();
        let settings = Settings::new("fork = { max = 1 }\n")
            .arg("a \"b\"\n")
            .env("K", "v=\u{0}w")
            .preopened_dir(directory.try_clone().unwrap(), "/r", FsPerms::ReadOnly)
            .preopened_dir(directory, "/w", FsPerms::ReadWrite);
        let (bytes, files) = settings.into_parts();
        assert_eq!(files.len(), 2);
        let rest = File::open("/dev/null").unwrap();
        let mut files = files.into_iter().chain([OwnedFd::from(rest)]);
        let settings = Settings::from_parts(&bytes, &mut files).unwrap();
        assert_eq!(settings.policy, "fork = { max = 1 }\n");
        assert_eq!(settings.args, ["a \"b\"\n"]);
        assert_eq!(settings.env, [("K".to_owned(), "v=\u{0}w".to_owned())]);
        let [read, written] = &settings.directories[..] else { panic!("two") };
        assert_eq!((&*read.path, read.perms), ("/r", FsPerms::ReadOnly));
        assert_eq!((&*written.path, written.perms), ("/w", FsPerms::ReadWrite));
        assert_eq!(files.count(), 1);
        // One descriptor too few, and no settings at all.
        assert!(Settings::from_parts(&bytes, &mut std::iter::empty()).is_err());
        assert!(Settings::from_parts(b"{}", &mut std::iter::empty()).is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = Settings::new("fork = 3").builders().map(drop).unwrap_err();
        assert!(error.to_string().starts_with("policy:1:"), "{error}");
        let file = File::open("/proc/self/status").unwrap();
        let settings = Settings::new("").preopened_dir(file, "/data", FsPerms::ReadOnly);
        let error = settings.builders().map(drop).unwrap_err();
        assert!(error.to_string().starts_with("cannot give the guest /data: "), "{error}");
    }
}
