//! The kinds of standard streams that a grant allows.

use crate::request::StdioKind;

/// A set of kinds of standard streams. `null` always is in it.
///
/// The default has nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StdioKinds {
    /// The host's own streams.
    pub inherit: bool,
    /// Pipes, to the guest or to another child.
    pub piped: bool,
    /// Files that the guest opened.
    pub file: bool,
    /// A terminal of the guest's, in which the child leads a session.
    pub terminal: bool,
}

impl StdioKinds {
    /// Every kind.
    pub const ALL: StdioKinds =
        StdioKinds { inherit: true, piped: true, file: true, terminal: true };

    /// Whether the kind is in the set.
    pub fn contains(self, kind: StdioKind) -> bool {
        match kind {
            StdioKind::Null => true,
            StdioKind::Inherit => self.inherit,
            StdioKind::Piped | StdioKind::Pipe => self.piped,
            StdioKind::File => self.file,
            StdioKind::Terminal => self.terminal,
        }
    }

    /// The kind that a policy file calls this.
    pub fn kind(word: &str) -> Option<StdioKind> {
        kind(word)
    }

    /// The kinds in the set, by the words of a policy file.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        use StdioKind::{File, Inherit, Null, Piped, Terminal};
        [Null, Inherit, Piped, File, Terminal]
            .into_iter()
            .filter(move |kind| self.contains(*kind))
            .map(word)
    }
}

impl FromIterator<StdioKind> for StdioKinds {
    fn from_iter<I: IntoIterator<Item = StdioKind>>(kinds: I) -> StdioKinds {
        let mut set = StdioKinds::default();
        for kind in kinds {
            match kind {
                StdioKind::Null => {}
                StdioKind::Inherit => set.inherit = true,
                StdioKind::Piped | StdioKind::Pipe => set.piped = true,
                StdioKind::File => set.file = true,
                StdioKind::Terminal => set.terminal = true,
            }
        }
        set
    }
}

/// What a policy file calls this kind.
pub(crate) fn word(kind: StdioKind) -> &'static str {
    match kind {
        StdioKind::Null => "null",
        StdioKind::Inherit => "inherit",
        StdioKind::Piped | StdioKind::Pipe => "piped",
        StdioKind::File => "file",
        StdioKind::Terminal => "terminal",
    }
}

/// The kind that a policy file calls this.
pub(super) fn kind(word: &str) -> Option<StdioKind> {
    match word {
        "null" => Some(StdioKind::Null),
        "inherit" => Some(StdioKind::Inherit),
        "piped" => Some(StdioKind::Piped),
        "file" => Some(StdioKind::File),
        "terminal" => Some(StdioKind::Terminal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_pipes_are_one_word() {
        for given in [StdioKind::Piped, StdioKind::Pipe] {
            let set = StdioKinds::from_iter([given]);
            assert!(set.contains(StdioKind::Piped) && set.contains(StdioKind::Pipe));
            assert!(!set.contains(StdioKind::Inherit) && !set.contains(StdioKind::File));
            assert_eq!(set.words().collect::<Vec<_>>(), ["null", "piped"]);
        }
    }

    #[test]
    fn words_are_those_of_the_file() {
        assert_eq!(StdioKinds::default().words().collect::<Vec<_>>(), ["null"]);
        let all = StdioKinds::ALL.words().filter_map(kind).collect::<StdioKinds>();
        assert_eq!(all, StdioKinds::ALL);
        for text in ["", "pipe", "Piped", "all"] {
            assert_eq!(kind(text), None);
        }
    }
}
