//! What a guest does and what becomes of it, told to the host.
//!
//! A sink is given to
//! [`ProcessCtxBuilder::audit`](crate::ProcessCtxBuilder::audit).
//! [`AuditFile`] is one, which writes a line of JSON for each record.

mod file;
mod json;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::{Duration, SystemTime};

use offspring_spawn::Signal;

pub use crate::child::{Cause, Exit};
use crate::plan::Plan;
use crate::request::Request;

pub use file::AuditFile;
pub use json::{VERSION, to_json};

/// Takes what is to be kept of a guest. May serve any number of guests.
pub trait Audit: fmt::Debug + Send + Sync {
    /// Keeps a record.
    ///
    /// Called on whichever thread notices what is told: the guest's own, or for
    /// the end of a child one of the host's. It is waited for, so it must not
    /// block, and it has nobody to report a failure to but the host itself.
    fn record(&self, record: &Record<'_>);
}

/// One thing that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Record<'a> {
    /// When.
    pub time: SystemTime,
    /// The guest, by the name that the host gave it.
    pub guest: &'a str,
    /// In which fork of it: the numbers of the forks that led there, `2.1` for the
    /// first fork of the second one. Empty for the guest itself.
    pub fork: &'a str,
    /// What.
    pub event: Event<'a>,
}

/// What happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The guest started a child.
    Spawned {
        /// The child.
        child: ChildName<'a>,
        /// What was done. Values of variables are secrets.
        plan: &'a Plan,
    },
    /// The guest went on twice.
    Forked {
        /// The new process.
        child: ChildName<'a>,
    },
    /// The guest asked for a child and got none.
    NotSpawned {
        /// What it asked for. Values of variables are secrets.
        request: &'a Request,
        /// Why it got none.
        refusal: Refusal<'a>,
    },
    /// The guest sent a signal, or was not allowed to.
    Signaled {
        /// The child.
        child: ChildName<'a>,
        /// The signal.
        signal: Signal,
        /// Whether it was for the whole process group.
        group: bool,
        /// Why it was not sent, if it was not.
        refusal: Option<Refusal<'a>>,
    },
    /// Another function refused the guest what it asked for: a limit.
    Limited {
        /// The function, such as `command.args`.
        function: &'static str,
        /// Why.
        refusal: Refusal<'a>,
    },
    /// A child has ended.
    Exited {
        /// The child.
        child: ChildName<'a>,
        /// How it ended, and what it used.
        exit: Exit,
        /// How long it was there, until this was noticed.
        lived: Duration,
    },
    /// The guest was refused, or sent signals, more often than is told.
    Omitted {
        /// How many records there are not.
        count: u64,
    },
}

/// A child, as records name it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ChildName<'a> {
    /// Which one of the guest's: 1, 2, 3…, in each fork anew.
    pub number: u64,
    /// The grant that it was started by; empty for a fork.
    pub grant: &'a str,
    /// The number of its process, where it can be had. The kernel uses it again
    /// for others.
    pub pid: Option<u32>,
}

/// Why something was not done.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Refusal<'a> {
    /// How far it came: `policy` where a rule or a limit refuses, else where it
    /// failed.
    pub stage: &'a str,
    /// What the stage is about: the key of the policy that refuses, or the
    /// attribute that could not be set.
    pub detail: Option<String>,
    /// The kernel's error, where it was the kernel that refused.
    pub errno: Option<&'a str>,
    /// The same for people, in one line.
    pub message: &'a str,
}

impl Refusal<'_> {
    /// Whether the policy refused, by a rule or a limit.
    pub fn is_denial(&self) -> bool {
        self.stage == POLICY
    }
}

impl<'a> Refusal<'a> {
    /// A refusal of the policy by this key.
    pub(crate) fn denied(rule: &str, message: &'a str) -> Refusal<'a> {
        Refusal { stage: POLICY, detail: Some(rule.to_owned()), errno: None, message }
    }
}

const POLICY: &str = "policy";
