//! Which environment variables a guest may set.

use std::fmt;
use std::str::FromStr;

use super::never;
use super::text::quoted;

/// One entry of `env-allow`: the name of a variable, or the start of names
/// followed by a `*`.
///
/// Loader and interpreter variables, such as `LD_PRELOAD`, `PATH` or
/// `PYTHONPATH`, are never covered, also not by a lone `*`. An entry that could
/// cover nothing else is refused: the host can fix such a variable with `env`
/// or `env-inherit`.
///
/// ```text
/// let author: EnvPattern = "GIT_AUTHOR_*".parse()?;
/// assert!(author.covers("GIT_AUTHOR_NAME"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvPattern(String);

/// Why a text is no entry of `env-allow`. Displayed as a sentence's end:
/// "must not be empty".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidEnvPattern(String);

impl EnvPattern {
    /// Whether the guest may set the variable of this name.
    pub fn covers(&self, name: &str) -> bool {
        let matches = match self.0.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == self.0,
        };
        // A malformed name could be read as another one by the program.
        matches && is_name(name) && never::reason(name).is_none()
    }

    /// The entry as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvPattern {
    type Err = InvalidEnvPattern;

    fn from_str(text: &str) -> Result<EnvPattern, InvalidEnvPattern> {
        let (start, reason) = match text.strip_suffix('*') {
            Some(start) => (start, never::reason_for_prefix(start)),
            None => (text, never::reason(text)),
        };
        let refuse = |why: String| Err(InvalidEnvPattern(why));
        if text.is_empty() {
            return refuse("must not be empty".into());
        }
        if start.contains('*') {
            return refuse(format!("may have a `*` at the end only, not as in {}", quoted(text)));
        }
        if start.contains(['=', '\0']) {
            return refuse(format!(
                "must be a variable's name, without `=` and NUL, not {}",
                quoted(text)
            ));
        }
        if let Some(reason) = reason {
            let text = quoted(text);
            return refuse(format!(
                "must not have {text}, because {reason}; fix its value in `env`"
            ));
        }
        Ok(EnvPattern(text.to_owned()))
    }
}

impl fmt::Display for EnvPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidEnvPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidEnvPattern {}

/// Whether the kernel's `NAME=VALUE` can carry this name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_covered() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("CI", &["CI"], &["", "C", "CI_", "ci", "CI*"]),
            ("LC_*", &["LC_", "LC_ALL", "LC_*"], &["LC", "XLC_ALL", "lc_all"]),
            ("GIT_*", &["GIT_AUTHOR_NAME"], &["GIT_SSH", "GIT_SSH_COMMAND", "GIT_CONFIG_KEY_0"]),
            ("L*", &["LANG"], &["LD_PRELOAD", "LESSOPEN"]),
            (
                "*",
                &["A", "LANG", "É", "with space"],
                &["", "LD_PRELOAD", "PATH", "PATH=", "A=B", "A\0", "BASH_FUNC_ls%%"],
            ),
        ];
        for (pattern, covered, others) in table {
            let pattern: EnvPattern = pattern.parse().unwrap();
            for name in *covered {
                assert!(pattern.covers(name), "{pattern} {name}");
            }
            for name in *others {
                assert!(!pattern.covers(name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern() {
        let table = [
            ("", "must not be empty"),
            ("**", "may have a `*` at the end only, not as in `**`"),
            ("*_X", "may have a `*` at the end only, not as in `*_X`"),
            ("A=B", "must be a variable's name, without `=` and NUL, not `A=B`"),
            ("A\0*", r"must be a variable's name, without `=` and NUL, not `A\0*`"),
            (
                "LD_PRELOAD",
                "must not have `LD_PRELOAD`, because the dynamic loader and the C library load \
                 code and data from where it says; fix its value in `env`",
            ),
            (
                "PYTHON*",
                "must not have `PYTHON*`, because an interpreter or a virtual machine loads code \
                 or options from it; fix its value in `env`",
            ),
        ];
        for (text, message) in table {
            let error = text.parse::<EnvPattern>().unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
