//! What was decided and built for a spawn, kept for the next one that asks for the same:
//! a guest that starts one helper again and again has it checked and built once.
//!
//! A policy never changes, so its decision holds. What may be another each time is looked
//! at each time: limits and rates, the program's file, the cgroup, and the arguments.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use offspring_spawn::{SignalSet, generation};

use crate::command::Command;
use crate::ctx::{Granted, ProcessCtx};
use crate::launch::LaunchError;
use crate::plain::Plain;
use crate::plan::Plan;
use crate::policy::{Grant, Policy};
use crate::request::{ProcessGroup, Request, StdioKind};

/// Ready to be started.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) plan: Plan,
    pub(crate) engine: offspring_spawn::Command,
    /// What it serves besides; `None` if it serves once.
    again: Option<Again>,
}

#[derive(Debug)]
struct Again {
    request: Request,
    /// The streams of one to which there is nothing else but arguments.
    plain: Option<[StdioKind; 3]>,
    /// Where it is left. It is gone when the guest is.
    shelf: Weak<Mutex<Option<Box<Ready>>>>,
    /// What else it was built for: the signals that the host ignores, and its process.
    standard: SignalSet,
    generation: u32,
}

/// Where a grant keeps the last one.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Arc<Mutex<Option<Box<Ready>>>>);

/// Longer ones are not kept: a guest must not fill its host's memory with what nobody
/// counts.
const BYTES_MAX: u64 = 4096;

impl Ready {
    pub(crate) fn new(
        command: &Command,
        plan: Plan,
        engine: offspring_spawn::Command,
        granted: &Granted,
        standard: SignalSet,
    ) -> Box<Ready> {
        // What is looked up in the file system, and a terminal that may have become one.
        let is_fixed = plan.paths.is_empty()
            && granted.apart.view.is_none()
            && plan.stdin != StdioKind::Inherit;
        let is_kept = is_fixed && is_only_its_request(command);
        let again = is_kept.then(|| Again {
            plain: Plain::is_all_of(&command.request).then_some([
                command.request.stdin,
                command.request.stdout,
                command.request.stderr,
            ]),
            request: command.request.clone(),
            shelf: Arc::downgrade(&granted.shelf.0),
            standard,
            generation: generation(),
        });
        Box::new(Ready { plan, engine, again })
    }

    /// Says that it is for this spawn only.
    pub(crate) fn serves_once(&mut self) {
        self.again = None;
    }

    /// Leaves it for the next spawn, if it can serve one.
    pub(crate) fn leave(mut self: Box<Ready>) {
        self.engine.no_cgroup().patience(Duration::ZERO);
        if let Some(shelf) = self.again.as_ref().and_then(|again| again.shelf.upgrade()) {
            let before = shelf.lock().unwrap_or_else(PoisonError::into_inner).replace(self);
            drop(before);
        }
    }

    /// The same with these arguments, if they can be kept as well.
    ///
    /// # Errors
    /// What is wrong with them.
    fn with_args(
        mut self: Box<Ready>,
        args: &[String],
        policy: &Policy,
        grant: &Grant,
    ) -> Result<Option<Box<Ready>>, LaunchError> {
        let Some(Again { request, .. }) = &mut self.again else { return Ok(None) };
        if request.args == args {
            return Ok(Some(self));
        }
        request.args = args.to_vec();
        request.validate(&policy.get_limits())?;
        if request.argument_bytes() > BYTES_MAX || !grant.plan_args(args)?.is_empty() {
            return Ok(None);
        }
        self.plan.argv = grant.argv(args);
        self.engine.argv(&self.plan.argv);
        Ok(Some(self))
    }
}

impl Shelf {
    /// What is there, if it was built where it is to be used, and serves.
    fn take(&self, standard: SignalSet, serves: impl FnOnce(&Again) -> bool) -> Option<Box<Ready>> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let again = shelf.as_ref()?.again.as_ref()?;
        let is_usable = again.standard == standard && again.generation == generation();
        if is_usable && serves(again) { shelf.take() } else { None }
    }
}

impl ProcessCtx {
    /// What an earlier spawn has left that serves this one as well.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    pub(crate) fn kept(
        &self,
        command: &Command,
        standard: SignalSet,
    ) -> Result<Option<Box<Ready>>, LaunchError> {
        let request = &command.request;
        if !is_only_its_request(command) {
            return Ok(None);
        }
        let serves = |again: &Again| again.request.is_but_for_args(request);
        self.kept_if(&request.program, &request.args, standard, serves)
    }

    /// The same of what a guest says in one call.
    ///
    /// # Errors
    /// What is wrong with the arguments.
    pub(crate) fn kept_plain(
        &self,
        plain: &Plain,
        standard: SignalSet,
    ) -> Result<Option<Box<Ready>>, LaunchError> {
        let serves = |again: &Again| again.plain == Some(plain.streams);
        self.kept_if(&plain.program, &plain.args, standard, serves)
    }

    fn kept_if(
        &self,
        program: &str,
        args: &[String],
        standard: SignalSet,
        serves: impl FnOnce(&Again) -> bool,
    ) -> Result<Option<Box<Ready>>, LaunchError> {
        let Some((index, grant)) = self.policy.find(program) else { return Ok(None) };
        let granted = &self.granted[index];
        let Some(ready) = granted.shelf.take(standard, serves) else { return Ok(None) };
        let ready = ready.with_args(args, &self.policy, grant)?;
        if let Some(ready) = &ready {
            // Counted, for those that are to be carried.
            self.sandbox(granted, ready.plan.terminal);
        }
        Ok(ready)
    }
}

/// Whether a command has nothing to it but its request.
fn is_only_its_request(command: &Command) -> bool {
    command.gives_nothing()
        && command.narrowed.is_empty()
        && command.request.attributes.process_group != Some(ProcessGroup::Joined)
        && !command.request.attributes.is_bounded()
        && command.request.argument_bytes() <= BYTES_MAX
}
