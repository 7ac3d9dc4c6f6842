//! The interface `grants`.

use offspring_spawn::{Kernel, Part};
use wasmtime::component::Resource;

use super::attributes::rlimit_kind;
use super::convert::signal_name;
use crate::bindings::grants::{self, Attributes, Features, FileActions, Sandbox, StdioKinds};
use crate::ctx::Granted;
use crate::held::HeldGrant;
use crate::policy::{
    Arguments, Attribute, Cwd, FileAction, Grant, GrantGroup, StdioKinds as Kinds,
};
use crate::view::ProcessCtxView;

impl grants::Host for ProcessCtxView<'_> {
    fn get_grants(&mut self) -> wasmtime::Result<Vec<grants::Grant>> {
        let granted = self.ctx.policy.grants().iter().zip(&self.ctx.granted);
        Ok(granted.map(|(words, granted)| grant(words, granted)).collect())
    }

    fn open(&mut self, name: String) -> wasmtime::Result<Resource<HeldGrant>> {
        self.limit_handles();
        Ok(self.table.push(HeldGrant::new(name, &self.ctx.command_bytes))?)
    }

    fn get_groups(&mut self) -> wasmtime::Result<Vec<grants::Group>> {
        let groups = self.ctx.policy.groups().iter().map(|group| {
            let node = self.ctx.groups.get(group.name());
            let enabled = node.and_then(|node| node.cgroup().enabled_controllers().ok());
            let controllers = enabled.iter().flatten().map(ToString::to_string).collect();
            grants::Group { name: group.name().to_owned(), available: node.is_some(), controllers }
        });
        Ok(groups.collect())
    }

    fn get_limits(&mut self) -> wasmtime::Result<grants::Limits> {
        let limits = self.ctx.policy.get_limits();
        Ok(grants::Limits {
            max_children: limits.max_children,
            max_pipes: limits.max_pipes,
            max_handles: limits.max_handles,
            max_buffered_bytes: limits.max_buffered_bytes,
            max_argument_bytes: limits.max_argument_bytes,
            max_groups: limits.max_groups,
            spawns_per_second: limits.spawns_per_second,
            spawn_burst: limits.burst(),
        })
    }

    fn get_features(&mut self) -> wasmtime::Result<Features> {
        let kernel = Kernel::get()?;
        let mut features = Features::default();
        if kernel.has_group_signals() {
            features |= Features::GROUP_SIGNALS;
        }
        if kernel.has_exit_info() {
            features |= Features::EXIT_INFO;
        }
        Ok(features)
    }
}

fn grant(grant: &Grant, granted: &Granted) -> grants::Grant {
    grants::Grant {
        name: grant.name().to_owned(),
        arguments: match grant.get_arguments() {
            Arguments::None => grants::Arguments::None,
            Arguments::Any => grants::Arguments::Any,
            Arguments::Slots(slots) => grants::Arguments::Slots(slots.to_string()),
        },
        env: grant.get_env_allow().iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        cwd: match grant.get_cwd() {
            Cwd::Preopens => true,
            Cwd::Unset | Cwd::Fixed(_) => false,
        },
        stdio: stdio(grant.get_stdio()),
        attributes: grant.get_attributes().map(attribute).fold(Attributes::default(), |a, b| a | b),
        file_actions: grant
            .get_file_actions()
            .map(file_action)
            .fold(FileActions::default(), |a, b| a | b),
        rlimits: grant
            .get_rlimits()
            .iter()
            .filter_map(|(resource, most)| Some((rlimit_kind(*resource)?, *most)))
            .collect(),
        signals: grant.get_signals().map(signal_name).collect(),
        max_children: grant.get_max_children(),
        spawns_per_second: grant.get_spawns_per_second(),
        deadline: grant
            .get_deadline()
            .map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        group: match grant.get_group() {
            GrantGroup::Named(name) => Some(name.clone()),
            GrantGroup::Unset | GrantGroup::Required | GrantGroup::Preferred => None,
        },
        sandbox: granted
            .sandbox
            .iter()
            .flat_map(|made| made.of(false).parts())
            .map(part)
            .fold(Sandbox::default(), |a, b| a | b),
    }
}

fn attribute(attribute: Attribute) -> Attributes {
    match attribute {
        Attribute::Session => Attributes::SESSION,
        Attribute::ProcessGroup => Attributes::PROCESS_GROUP,
        Attribute::SignalMask => Attributes::SIGNAL_MASK,
        Attribute::DefaultSignals => Attributes::DEFAULT_SIGNALS,
        Attribute::ResetIds => Attributes::RESET_IDS,
        Attribute::Scheduler => Attributes::SCHEDULER,
        Attribute::Nice => Attributes::NICE,
        Attribute::CpuAffinity => Attributes::CPU_AFFINITY,
        Attribute::Umask => Attributes::UMASK,
        Attribute::Rlimits => Attributes::RLIMITS,
        Attribute::ExitSignal => Attributes::EXIT_SIGNAL,
        Attribute::RaisePriority => Attributes::RAISE_PRIORITY,
    }
}

fn part(part: Part) -> Sandbox {
    match part {
        Part::Files => Sandbox::FILES,
        Part::Truncate => Sandbox::TRUNCATE,
        Part::DeviceIoctl => Sandbox::DEVICE_IOCTL,
        Part::Signals => Sandbox::SIGNALS,
        Part::AbstractSockets => Sandbox::ABSTRACT_SOCKETS,
        Part::Network => Sandbox::NETWORK,
        Part::SystemCalls => Sandbox::SYSTEM_CALLS,
        Part::Capabilities => Sandbox::CAPABILITIES,
        Part::Keyring => Sandbox::KEYRING,
        Part::CoreDumps => Sandbox::CORE_DUMPS,
        // A part of a newer engine that this interface has no word for.
        _ => Sandbox::default(),
    }
}

fn file_action(action: FileAction) -> FileActions {
    match action {
        FileAction::Pass => FileActions::PASS,
        FileAction::Open => FileActions::OPEN,
        FileAction::Close => FileActions::CLOSE,
        FileAction::Dup2 => FileActions::DUP2,
        FileAction::Chdir => FileActions::CHDIR,
        FileAction::Fchdir => FileActions::FCHDIR,
        FileAction::Closefrom => FileActions::CLOSEFROM,
        FileAction::Tcsetpgrp => FileActions::TCSETPGRP,
    }
}

fn stdio(kinds: Kinds) -> StdioKinds {
    let Kinds { inherit, piped, file, terminal } = kinds;
    [
        (inherit, StdioKinds::INHERIT),
        (piped, StdioKinds::PIPED),
        (file, StdioKinds::FILE),
        (terminal, StdioKinds::TERMINAL),
    ]
    .into_iter()
    .filter(|(allowed, _)| *allowed)
    .fold(StdioKinds::default(), |flags, (_, flag)| flags | flag)
}
