//! What this process has itself, which bounds what a guest may choose.

use std::fs;

use offspring_spawn::{Errno, Resource, SchedulerPolicy};
use rustix::process::getrlimit;
use rustix::thread::sched_getaffinity;

use crate::policy::Bounds;
use crate::policy::words::RESOURCES;
use crate::request::Processors;

/// Reads what the calling thread, which a child has it from, has.
///
/// # Errors
/// Those of reading `/proc`, and of sched_getaffinity(2).
pub(crate) fn own() -> Result<Bounds, Errno> {
    let stat = fs::read_to_string("/proc/thread-self/stat")
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let [nice, priority, policy] = scheduling(&stat).ok_or(Errno::IO)?;
    let processors = sched_getaffinity(None)?;
    let may = |processor: &u16| processors.is_set(usize::from(*processor));
    let hard = |resource: Resource| Some((resource, getrlimit(resource).maximum?));
    Ok(Bounds {
        policy: match policy {
            0 => SchedulerPolicy::Other,
            1 => SchedulerPolicy::Fifo,
            2 => SchedulerPolicy::RoundRobin,
            3 => SchedulerPolicy::Batch,
            // The least there is, also for what is not known.
            _ => SchedulerPolicy::Idle,
        },
        priority,
        nice,
        processors: (0..Processors::MAX).filter(may).collect(),
        rlimits: RESOURCES.iter().filter_map(|(resource, _)| hard(*resource)).collect(),
    })
}

/// The nice value, the real-time priority and the policy, which are the fields
/// 19, 40 and 41 of proc_pid_stat(5). The name, the second one, may have spaces
/// and brackets in it.
fn scheduling(stat: &str) -> Option<[i32; 3]> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse().ok();
    Some([field(19)?, field(40)?, field(41)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_mislead() {
        let fields: Vec<String> = (4..=52).map(|number| number.to_string()).collect();
        let stat = format!("1 (a) R 9 (b) S {}", fields.join(" "));
        assert_eq!(scheduling(&stat), Some([19, 40, 41]));
        assert_eq!(scheduling("1 (a) R 0"), None);
        assert_eq!(scheduling(""), None);
    }

    #[test]
    fn this_process_has_something() {
        let own = own().unwrap();
        assert!(own.processors.iter().next().is_some());
        assert!((-20..=19).contains(&own.nice));
        let nofile = getrlimit(Resource::Nofile).maximum;
        let found = own.rlimits.iter().find(|(resource, _)| *resource == Resource::Nofile);
        assert_eq!(found.map(|(_, limit)| *limit), nofile);
    }
}
