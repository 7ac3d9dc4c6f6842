//! `offspring doctor`: what this machine offers, in plain words.

use std::fmt::{self, Write};

use offspring::cgroup::{Controllers, NoPlace, Place};
use offspring::policy::Part;
use offspring::{Controller, Kernel, Namespace, Namespaces, SandboxSupport, may_change_ids};

/// Finds out what this machine offers and prints it, with what would mend what
/// is missing.
///
/// # Errors
/// When no children can be run here at all.
pub fn doctor() -> anyhow::Result<()> {
    let kernel = Kernel::get()?;
    print!("{}{}", kernel_report(&kernel)?, apart_report()?);
    print!("{}", sandbox_report(&SandboxSupport::find())?);
    // Kept while its controllers are asked for.
    let place = Place::find();
    let found = place.as_ref().map(|place| (place.path(), place.controllers()));
    match found {
        Ok((path, controllers)) => {
            print!("{}", cgroup_report(&path.display(), controllers)?);
        }
        Err(no_place) => print!("{}", no_place_report(no_place)?),
    }
    Ok(())
}

fn kernel_report(kernel: &Kernel) -> Result<String, fmt::Error> {
    let mut text = String::from("kernel: children can be run\n");
    let facts = [
        (
            kernel.has_clone3(),
            "a child is born in its cgroup (clone3)",
            "a child joins its cgroup before it executes its program, because clone3 is refused \
             here; the seccomp profile of the container decides that",
        ),
        (
            kernel.has_close_range(),
            "a spawn costs the same however many files are open (close_range)",
            "a spawn costs more the more files are open, because close_range is refused here",
        ),
        (
            kernel.has_group_signals(),
            "a process group can be signalled after its leader has ended",
            "a process group is signalled only as long as its leader is held (Linux 6.9 mends it)",
        ),
        (
            kernel.has_exit_info(),
            "no exit status is ever lost",
            "a status is lost when something else in the process waits for its children (Linux \
             6.15 mends it)",
        ),
    ];
    for (is_so, yes, no) in facts {
        line(&mut text, is_so, if is_so { yes } else { no })?;
    }
    Ok(text)
}

/// What children can have apart from their host.
fn apart_report() -> Result<String, fmt::Error> {
    let mut text = String::from("apart: what children can have that is nobody else's\n");
    let all: Namespaces = Namespace::ALL.into_iter().collect();
    let without_user = Namespace::ALL.into_iter().filter(|kind| *kind != Namespace::User);
    let alone = without_user.collect::<Namespaces>().check();
    let own_user = all.check();
    match (&alone, &own_user) {
        (Ok(()), _) => line(&mut text, true, "namespaces, and the guest's view of files")?,
        (Err(_), Ok(())) => line(
            &mut text,
            true,
            "namespaces, and the guest's view of files, together with a user namespace",
        )?,
        (Err(error), Err(_)) => line(
            &mut text,
            false,
            &format!("namespaces, nor the guest's view of files: {error} (root can have them)"),
        )?,
    }
    match own_user {
        Ok(()) => line(&mut text, true, "a user namespace")?,
        Err(error) => line(
            &mut text,
            false,
            &format!("a user namespace: {error} (see user.max_user_namespaces)"),
        )?,
    }
    let is_root = may_change_ids();
    line(
        &mut text,
        is_root,
        match is_root {
            true => "another user",
            false => "another user, because this one may not change ids (root may)",
        },
    )?;
    Ok(text)
}

fn sandbox_report(support: &SandboxSupport) -> Result<String, fmt::Error> {
    let mut text = String::from("sandbox: what a child can be kept from\n");
    let lacks = || Part::ALL.iter().filter(|part| support.lack(**part).is_some());
    for part in Part::ALL {
        let words = format!("{part}: {}", kept_from(*part));
        match support.lack(*part) {
            None => line(&mut text, true, &words)?,
            Some(lack) => line(&mut text, false, &format!("{words}; {lack}"))?,
        }
    }
    if lacks().next().is_some() {
        writeln!(
            text,
            "  what is missing is an error, unless a grant's sandbox names it in `best-effort`"
        )?;
    }
    Ok(text)
}

fn kept_from(part: Part) -> &'static str {
    match part {
        Part::Files => "from files that its guest has not",
        Part::Truncate => "from cutting short by name what it may not write",
        Part::DeviceIoctl => "from ioctls of devices that it may not write",
        Part::Signals => "from signalling what it has not started",
        Part::AbstractSockets => "from abstract UNIX sockets of others",
        Part::Network => "from sockets",
        Part::SystemCalls => "from system calls that lead around the rest",
        Part::Capabilities => "from root's capabilities",
        Part::Keyring => "from the keys of the session",
        Part::CoreDumps => "from leaving its memory in a core",
        _ => "from more, which this tool is too old to know",
    }
}

fn cgroup_report(
    place: &dyn fmt::Display,
    controllers: &Controllers,
) -> Result<String, fmt::Error> {
    let mut text = format!("cgroups: children are put beneath {place}\n");
    line(&mut text, true, "a child is killed with everything that it started")?;
    for controller in Controller::ALL {
        let has = controllers.enabled().contains(&controller);
        line(&mut text, has, &format!("{controller}: {}", use_of(controller)))?;
    }
    if controllers.moved() {
        writeln!(text, "  moved into a leaf of it, so that controllers can be enabled")?;
    }
    if let Some(lack) = controllers.lack() {
        writeln!(text, "  what is missing cannot be limited, because {lack}")?;
        writeln!(text, "  to mend it, {}", lack.remedy())?;
    }
    Ok(text)
}

fn no_place_report(no_place: &NoPlace) -> Result<String, fmt::Error> {
    let mut text = format!("cgroups: none can be made, because {no_place}\n");
    line(&mut text, false, "what left a child's process group is killed at the same moment")?;
    line(&mut text, false, "groups of a policy that are required are an error")?;
    if let Some(remedy) = no_place.remedy() {
        writeln!(text, "  to mend it, {remedy}")?;
    }
    Ok(text)
}

fn use_of(controller: Controller) -> &'static str {
    match controller {
        Controller::Cpu => "limit processor time, and see how long children were throttled",
        Controller::Cpuset => "bind children to processors",
        Controller::Io => "limit and count input and output",
        Controller::Memory => "limit and count memory, and tell who ran out of it",
        Controller::Pids => "limit the number of processes",
    }
}

fn line(text: &mut String, is_so: bool, words: &str) -> fmt::Result {
    writeln!(text, "  {} {words}", if is_so { "yes" } else { "no " })
}
