//! What the command line grants.

use std::sync::Arc;

use offspring::ProcessCtx;
use offspring::cgroup::{LEAF, Place};
use offspring::policy::{Grant, Policy, Sandbox};

use crate::args::{Directory, RunArgs, Variable};
use crate::audit::Log;

/// The context of a run: the policy file's grants and those of `--allow`.
pub fn context(args: &RunArgs, log: &Log) -> anyhow::Result<ProcessCtx> {
    let mut policy = match &args.policy {
        Some(path) => Policy::load(path)?,
        None => Policy::new(),
    };
    let mut sandbox = Sandbox::new();
    for word in &args.sandbox {
        if sandbox.is_none() {
            anyhow::bail!("--sandbox none leaves nothing for another --sandbox to say");
        }
        sandbox = word.apply(sandbox).map_err(anyhow::Error::msg)?;
    }
    for (name, path) in &args.allow {
        // A bare name is searched; a path is from where the user is.
        let path = match path.components().count() {
            1 => path.clone(),
            _ => std::path::absolute(path)?,
        };
        let mut grant = Grant::permissive(name, path).sandbox(sandbox.clone());
        for Variable { name, value } in &args.child_env {
            if let Some(value) = value {
                grant = grant.env(name, value);
            }
        }
        policy = policy.grant(grant)?;
    }
    if args.allow.is_empty() && !args.child_env.is_empty() {
        anyhow::bail!("--child-env is for programs granted by --allow, and there is none");
    }
    if args.allow.is_empty() && !args.sandbox.is_empty() {
        anyhow::bail!("--sandbox is for programs granted by --allow, and there is none");
    }
    // The guest runs on the main thread, which lives as long as we do.
    let mut builder = ProcessCtx::builder().policy(policy).die_with_thread(true);
    let place = Place::find().ok();
    if let Some(place) = &place {
        builder = builder.own_groups(Arc::clone(place));
    }
    let name = args.component.file_name().unwrap_or(args.component.as_os_str());
    builder = builder.name(name.to_string_lossy());
    if let Some(sink) = log.sink() {
        builder = builder.audit(sink);
    }
    for Directory { host, guest, perms } in &args.dir {
        builder = builder.preopened_dir(host, guest, *perms);
    }
    let process = builder.build()?;
    for (grant, missing) in process.missing() {
        eprintln!(
            "offspring: children of `{grant}` run without a part of their sandbox: {missing}"
        );
    }
    if let Some(place) = place.filter(|place| place.has_moved()) {
        eprintln!(
            "offspring: moved into {}, because a cgroup with processes of its own can give no \
             controllers to others",
            place.path().join(LEAF).display()
        );
    }
    // Where this does nothing, each child does it.
    process.empty_bounding_set();
    Ok(process)
}
