//! What a guest chooses of its children's attributes.

use offspring_spawn::{Resource, Rlimit, SchedulerPolicy, Signal};

use super::{policy, request};
use crate::policy::words::resource_word;
use crate::policy::*;
use crate::request::{Attributes, ExitSignal, ProcessGroup, Request, Scheduler};

type Choose = fn(&mut Attributes);

/// Every attribute's word, and how to choose it.
pub(super) const CHOICES: &[(Attribute, Choose)] = &[
    (Attribute::Session, |chosen| chosen.session = true),
    (Attribute::ProcessGroup, |chosen| chosen.process_group = Some(ProcessGroup::New)),
    (Attribute::SignalMask, |chosen| chosen.signal_mask = Some(Default::default())),
    (Attribute::DefaultSignals, |chosen| {
        chosen.default_signals = Some([Signal::USR1].into_iter().collect());
    }),
    (Attribute::ResetIds, |chosen| chosen.reset_ids = true),
    (Attribute::Scheduler, |chosen| {
        chosen.scheduler = Some(Scheduler { policy: None, priority: 0 });
    }),
    (Attribute::Nice, |chosen| chosen.nice = Some(19)),
    (Attribute::CpuAffinity, |chosen| chosen.cpu_affinity = Some(Default::default())),
    (Attribute::Umask, |chosen| chosen.umask = Some(0o77)),
    (Attribute::Rlimits, |chosen| {
        *chosen = Attributes { rlimits: core(0).rlimits, ..chosen.clone() }
    }),
    (Attribute::ExitSignal, |chosen| chosen.exit_signal = Some(ExitSignal::None)),
];

/// A choice of nothing but the size of core files.
pub(super) fn core(limit: u64) -> Attributes {
    let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
    Attributes { rlimits: vec![(Resource::Core, limit)], ..Attributes::default() }
}

fn git() -> Grant {
    Grant::new("git", "git")
}

fn choosing(attributes: Attributes) -> Request {
    Request { attributes, ..request("git") }
}

#[test]
fn each_attribute_needs_its_own_word() {
    // Not one of its own: it widens others.
    let choosable = Attribute::ALL.len() - 1;
    assert_eq!(CHOICES.len(), choosable);
    for (word, choose) in CHOICES {
        let mut attributes = Attributes::default();
        choose(&mut attributes);
        let request = choosing(attributes.clone());
        let plan = policy(git().attributes([*word])).check(&request).unwrap();
        assert_eq!(plan.attributes, attributes);

        let others = CHOICES.iter().map(|(other, _)| *other).filter(|other| other != word);
        for grant in [git(), git().attributes(others)] {
            let denied = policy(grant).check(&request).unwrap_err();
            let message = format!("`{}` may not be chosen for `git`; allowed: ", word.as_str());
            assert_eq!(denied.rule.as_str(), "attributes");
            assert!(denied.message.starts_with(&message), "{denied}");
        }
    }
    let denied = policy(git()).check(&choosing(core(0))).unwrap_err();
    assert_eq!(denied.message, "`rlimits` may not be chosen for `git`; allowed: none");
}

#[test]
fn what_is_permissive_is_what_a_program_could_do_itself() {
    let permissive = policy(Grant::permissive("git", "git"));
    for (word, choose) in CHOICES {
        let mut attributes = Attributes::default();
        choose(&mut attributes);
        let allowed = permissive.check(&choosing(attributes)).is_ok();
        assert_eq!(allowed, *word != Attribute::ResetIds, "{word:?}");
    }
    assert!(permissive.grants()[0].get_file_actions().eq(FileAction::ALL.iter().copied()));
    assert!(permissive.grants()[0].get_stdio().terminal);
    let mut words = permissive.grants()[0].get_attributes();
    assert!(words.all(|word| word != Attribute::RaisePriority));
}

#[test]
fn limits_of_a_grant_are_only_lowered() {
    let grant = || git().rlimit(Resource::Nofile, 9).rlimit(Resource::Core, 5);
    let planned =
        |attributes| policy(grant().attributes([Attribute::Rlimits])).check(&choosing(attributes));
    let limit = |current, maximum| Rlimit { current, maximum };
    let both = |most| limit(Some(most), Some(most));
    let plan = planned(Attributes::default()).unwrap();
    assert_eq!(plan.rlimits, [(Resource::Core, both(5)), (Resource::Nofile, both(9))]);

    for allowed in [both(5), both(0), limit(Some(0), Some(5)), limit(Some(5), Some(1))] {
        let rlimits = vec![(Resource::Core, allowed), (Resource::Cpu, both(u64::MAX))];
        let plan = planned(Attributes { rlimits, ..Attributes::default() }).unwrap();
        assert_eq!(plan.rlimits, [(Resource::Nofile, both(9))]);
        assert_eq!(plan.attributes.rlimits[0], (Resource::Core, allowed));
    }
    for refused in [both(6), limit(Some(0), Some(6)), limit(None, Some(5)), limit(Some(0), None)] {
        let rlimits = vec![(Resource::Core, refused)];
        let denied = planned(Attributes { rlimits, ..Attributes::default() }).unwrap_err();
        assert_eq!(denied.rule, Rule::Rlimits);
        assert_eq!(denied.message, "the limit `core` of `git` may be 5 at most");
    }
    // They hold also where the guest has no choice.
    assert_eq!(policy(grant()).check(&request("git")).unwrap().rlimits.len(), 2);
    assert_eq!(resource_word(Resource::As), "as");
}

fn host(policy: SchedulerPolicy, priority: i32, nice: i32) -> Bounds {
    Bounds {
        policy,
        priority,
        nice,
        processors: [0, 1, 5].into_iter().collect(),
        rlimits: vec![(Resource::Core, 5)],
    }
}

/// Whether a choice stays within what the host has, and else why.
fn confined(
    attributes: Attributes,
    host: &Bounds,
    more: &[Attribute],
) -> Result<Attributes, Denied> {
    let all = CHOICES.iter().map(|(word, _)| *word).chain(more.iter().copied());
    let policy = policy(git().attributes(all));
    let mut plan = policy.check(&choosing(attributes)).unwrap();
    policy.grants()[0].confine(&mut plan, host).map(|()| plan.attributes)
}

#[test]
fn a_scheduler_takes_no_more_than_the_host_has() {
    use SchedulerPolicy::{Batch, Fifo, Idle, Other, RoundRobin};
    let table = [
        ((Other, 0), vec![(Other, 0), (Batch, 0), (Idle, 0)], vec![(Fifo, 1), (RoundRobin, 1)]),
        ((Batch, 0), vec![(Batch, 0), (Idle, 0)], vec![(Other, 0), (Fifo, 1)]),
        ((Idle, 0), vec![(Idle, 0)], vec![(Batch, 0), (Other, 0)]),
        (
            (RoundRobin, 5),
            vec![(RoundRobin, 5), (RoundRobin, 1), (Other, 0)],
            vec![(RoundRobin, 6), (Fifo, 1)],
        ),
        ((Fifo, 5), vec![(Fifo, 5), (RoundRobin, 5)], vec![(Fifo, 6), (RoundRobin, 99)]),
    ];
    for ((policy, priority), allowed, refused) in table {
        let host = host(policy, priority, 0);
        let choose = |(policy, priority)| Attributes {
            scheduler: Some(Scheduler { policy, priority }),
            ..Attributes::default()
        };
        for (policy, priority) in allowed {
            let chosen = choose((Some(policy), priority));
            assert_eq!(confined(chosen.clone(), &host, &[]), Ok(chosen));
        }
        for (policy, priority) in refused {
            let chosen = choose((Some(policy), priority));
            let denied = confined(chosen.clone(), &host, &[]).unwrap_err();
            assert_eq!(denied.rule, Rule::Attributes);
            assert_eq!(
                denied.message,
                "the scheduler chosen for `git` takes more than the host has, which needs \
                 `raise-priority`"
            );
            assert!(confined(chosen, &host, &[Attribute::RaisePriority]).is_ok());
        }
        let real_time = matches!(policy, Fifo | RoundRobin);
        assert!(confined(choose((None, priority)), &host, &[]).is_ok());
        let more = confined(choose((None, priority + 1)), &host, &[]);
        // Elsewhere it is the kernel that knows no such priority.
        assert_eq!(more.is_err(), real_time, "{policy:?}");
    }
}

#[test]
fn a_nice_value_takes_no_more_than_the_host_has() {
    let chosen = |value| Attributes { nice: Some(value), ..Attributes::default() };
    for (own, least) in [(0, 0), (10, 10), (-5, -5), (19, 19)] {
        let host = host(SchedulerPolicy::Other, 0, own);
        for value in [least, 19, 20, i32::MAX] {
            assert!(confined(chosen(value), &host, &[]).is_ok(), "{own} {value}");
        }
        for value in [least - 1, -20, i32::MIN] {
            let denied = confined(chosen(value), &host, &[]).unwrap_err();
            assert_eq!(denied.rule, Rule::Attributes);
            assert!(denied.message.starts_with("the nice value chosen for `git` takes more"));
            assert!(confined(chosen(value), &host, &[Attribute::RaisePriority]).is_ok());
        }
    }
}

#[test]
fn processors_and_limits_are_among_the_hosts() {
    let host = host(SchedulerPolicy::Other, 0, 0);
    for (chosen, left) in [(vec![0, 2, 5], vec![0, 5]), (vec![2, 1023], vec![]), (vec![], vec![])] {
        let chosen = Some(chosen.into_iter().collect());
        let chosen = Attributes { cpu_affinity: chosen, ..Attributes::default() };
        let left = Some(left.into_iter().collect());
        assert_eq!(confined(chosen, &host, &[]).unwrap().cpu_affinity, left);
    }
    assert!(confined(core(5), &host, &[]).is_ok());
    let denied = confined(core(6), &host, &[Attribute::RaisePriority]).unwrap_err();
    assert_eq!(denied.rule, Rule::Rlimits);
    assert_eq!(denied.message, "the limit `core` of `git` may be 5 at most");
}
