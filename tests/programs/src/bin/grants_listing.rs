//! What a guest may do, as its host's policy says; its arguments are what the
//! kernel has.

use std::time::Duration;

use offspring_guest::{
    Arguments, Attribute, FileAction, Resource, SandboxPart, Signal, features, grants, groups,
    limits,
};

fn main() {
    let [plain, full] = &grants()[..] else { panic!("two grants, in order: {:?}", grants()) };

    assert_eq!(plain.name, "plain");
    assert_eq!(plain.arguments, Arguments::None);
    assert!(plain.env.is_empty() && plain.signals.is_empty() && !plain.cwd);
    assert!(!plain.stdio.inherit && !plain.stdio.piped && !plain.stdio.file);
    assert!(!plain.stdio.terminal && plain.file_actions.is_empty());
    assert!(plain.attributes.is_empty() && plain.rlimits.is_empty());
    assert_eq!((plain.max_children, plain.deadline), (None, None));
    assert_eq!(plain.spawns_per_second, None);

    assert_eq!(full.name, "all of it");
    assert_eq!(full.arguments, Arguments::Any);
    assert_eq!(full.env, ["CHOSEN", "LC_*"]);
    assert!(full.cwd && full.stdio.inherit && full.stdio.piped && full.stdio.file);
    let attributes = [Attribute::Session, Attribute::Nice, Attribute::RaisePriority];
    assert_eq!(full.attributes, attributes);
    assert!(full.stdio.terminal);
    assert_eq!(full.file_actions, [FileAction::Pass, FileAction::SetForeground]);
    assert_eq!(full.rlimits, [(Resource::AddressSpace, 1 << 32), (Resource::Nofile, 256)]);
    assert_eq!(full.signals, [Signal::INT, Signal::TERM]);
    assert_eq!((full.max_children, full.spawns_per_second), (Some(4), Some(5)));
    assert_eq!(full.deadline, Some(Duration::from_millis(90_500)));

    use SandboxPart::{Capabilities, CoreDumps, Files, Keyring, Network, Signals, SystemCalls};
    for part in [Files, Signals, Network, SystemCalls, Capabilities, Keyring, CoreDumps] {
        assert!(plain.sandbox.contains(&part), "{part:?}");
    }
    assert!(!plain.sandbox.contains(&SandboxPart::AbstractSockets));
    assert!(full.sandbox.is_empty());

    // No group has a name that a grant is in.
    assert_eq!((&plain.group, &full.group), (&None, &None));
    assert_eq!(groups().len(), 1);
    assert_eq!(groups()[0].name, "unavailable");

    let limits = limits();
    assert_eq!((limits.max_children, limits.max_pipes), (9, 10));
    assert_eq!((limits.max_handles, limits.max_argument_bytes), (11, 1 << 33));
    assert_eq!(limits.max_buffered_bytes, 14);
    assert_eq!(limits.max_groups, 15);
    assert_eq!((limits.spawns_per_second, limits.spawn_burst), (12, 13));

    let args: Vec<String> = std::env::args().skip(1).collect();
    let features = features();
    assert_eq!(args, [features.group_signals.to_string(), features.exit_info.to_string()]);
}
