//! A policy whose programs are there, without a guest: to be looked at.

use std::fs::File;
use std::os::fd::AsFd;
use std::sync::Arc;

use offspring_spawn::{Errno, Program};

use crate::command::Directory;
use crate::path;
use crate::plan::PlanCwd;
use crate::policy::{Policy, Step, View};
use crate::preopen::Preopen;
use crate::request::Request;

/// A policy that was checked together with the directories of a guest, by
/// [`ProcessCtxBuilder::check`](crate::ProcessCtxBuilder::check).
#[derive(Debug)]
pub struct CheckedPolicy {
    pub(crate) policy: Policy,
    pub(crate) preopens: Vec<Preopen>,
    /// One for each grant of the policy, in its order.
    pub(crate) programs: Vec<Program>,
}

impl CheckedPolicy {
    /// The policy, with its variables resolved.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The program of each grant, in the order of the policy.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// What every rule says of a request, and then what becomes of the paths among
    /// its arguments, for a guest that chose this directory of its own to run in.
    ///
    /// The limits of what is running are not among it.
    pub fn explain(&self, request: &Request, cwd: Option<&str>) -> Vec<Step> {
        let mut steps = self.policy.explain(request);
        let Ok(plan) = self.policy.check(request) else { return steps };
        let directory = cwd.filter(|_| plan.cwd == PlanCwd::Guest).map(|cwd| self.directory(cwd));
        let directory = match directory.transpose() {
            Ok(directory) => directory,
            Err(why) => {
                steps.push(Step::new("resolve", Err(why)));
                return steps;
            }
        };
        if let Some(directory) = &directory {
            let opened = directory.open().map(|_| "the directory is there".to_owned());
            let failed = |errno| match errno {
                Errno::XDEV => "the directory leads out of the guest's".to_owned(),
                errno => format!("cannot open the directory to run in: {errno}"),
            };
            steps.push(Step::new("resolve", opened.map_err(failed)));
        }
        if !plan.paths.is_empty() && steps.iter().all(|step| step.allowed) {
            let apart = self.policy.grants()[plan.grant].get_apart();
            let in_view = apart.get_view() == View::Guest;
            let resolved = path::resolve(&plan, &self.preopens, directory.as_ref(), in_view);
            let paths = resolved.map_err(|refused| refused.to_string());
            let (verdict, parts) = match paths {
                Err(refused) => (Err(refused), Vec::new()),
                Ok(resolved) => {
                    let argv: Vec<_> = resolved.argv(&plan).collect();
                    let shown = plan.paths.iter().map(|path| {
                        format!("{} becomes {}", path.index, argv[path.index].display())
                    });
                    (Ok("every path lies where it may".to_owned()), shown.collect())
                }
            };
            steps.push(Step { parts, ..Step::new("argument", verdict) });
        }
        steps
    }

    /// A directory of the guest's by its path.
    fn directory(&self, guest: &str) -> Result<Directory, String> {
        let parts = path::components(guest);
        let found = path::preopen_of(&self.preopens, &parts);
        let (preopen, own) = found.ok_or("no directory of the guest's has this path")?;
        let base = preopen.dir.as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
        Ok(Directory {
            base: Arc::new(File::from(base)),
            path: parts[own.len()..].join("/"),
            perms: preopen.perms,
        })
    }
}
