//! Which sockets a sandbox lets there be.

/// Which sockets there may be in a sandbox. Those that a process starts with
/// stay usable, whatever they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Network {
    /// None, but connected pairs of UNIX sockets.
    #[default]
    Deny,
    /// UNIX sockets.
    Unix,
    /// Any.
    Allow,
}

impl Network {
    /// Every one of them.
    pub const ALL: &[Network] = &[Network::Deny, Network::Unix, Network::Allow];

    /// The word for it, in policies.
    pub const fn name(self) -> &'static str {
        match self {
            Network::Deny => "deny",
            Network::Unix => "unix",
            Network::Allow => "allow",
        }
    }
}
