//! What a grant cannot be, whoever wrote it.

use std::path::Path;

use super::env::is_name;
use super::grant::{Cwd, Grant};
use super::group::Group;
use super::text::quoted;
use super::words::Attribute;
use crate::request::NAME_MAX;

/// A value that a grant cannot have.
#[derive(Debug)]
pub(super) struct Invalid {
    /// The key, as in a policy file.
    pub key: &'static str,
    /// The name or the element that is wrong, where the key has several.
    pub item: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

fn value(key: &'static str, message: String) -> Result<(), Invalid> {
    Err(Invalid { key, item: None, message })
}

fn item(key: &'static str, item: &str, message: String) -> Result<(), Invalid> {
    Err(Invalid { key, item: Some(item.to_owned()), message })
}

impl Grant {
    /// Checks what types leave open.
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        self.validate_program()?;
        self.validate_env()?;
        self.validate_env_inherit()?;
        self.validate_env_allow()?;
        self.validate_cwd()?;
        self.validate_attributes()?;
        self.get_apart().validate()
    }

    fn validate_program(&self) -> Result<(), Invalid> {
        let (name, path) = (self.name(), self.path());
        if name.is_empty() || name.contains(char::is_control) {
            let rule = "a program's name must not be empty nor have control characters";
            return value("program", format!("{rule}, unlike {}", quoted(name)));
        }
        if name.len() > NAME_MAX {
            let rule = format!("a program's name has at most {NAME_MAX} bytes");
            return value("program", format!("{rule}, unlike {}", quoted(name)));
        }
        // A relative path would mean another program in each directory that
        // the host is started from.
        let bare = path.components().count() == 1 && path.file_name() == Some(path.as_os_str());
        if !(path.is_absolute() || bare) || has_nul(path) {
            let rule = "`path` must be absolute, or a bare name to search on PATH";
            let shown = quoted(&path.to_string_lossy());
            return value("path", format!("{rule}, not {shown}"));
        }
        if self.get_arg0().contains('\0') {
            return value("arg0", "`arg0` must not contain a NUL".to_owned());
        }
        Ok(())
    }

    fn validate_env(&self) -> Result<(), Invalid> {
        for (name, value) in self.get_env() {
            valid_name("env", name)?;
            if value.contains('\0') {
                let message = format!("the value of {} must not contain a NUL", quoted(name));
                return item("env", name, message);
            }
        }
        Ok(())
    }

    fn validate_env_inherit(&self) -> Result<(), Invalid> {
        for (name, _) in self.get_env_inherit() {
            valid_name("env-inherit", name)?;
            if self.get_env().any(|(fixed, _)| fixed == name) {
                let message = format!("{} has a value in `env` already", quoted(name));
                return item("env-inherit", name, message);
            }
        }
        Ok(())
    }

    fn validate_env_allow(&self) -> Result<(), Invalid> {
        for pattern in self.get_env_allow() {
            let name = pattern.as_str();
            if self.fixed(name).is_some() {
                let rule = "is fixed by `env` or `env-inherit` already";
                return item("env-allow", name, format!("{} {rule}", quoted(name)));
            }
        }
        Ok(())
    }

    fn validate_cwd(&self) -> Result<(), Invalid> {
        match self.get_cwd() {
            Cwd::Fixed(path) if !path.is_absolute() || has_nul(path) => {
                let rule = "`cwd` must be \"preopens\" or an absolute path";
                let shown = quoted(&path.to_string_lossy());
                value("cwd", format!("{rule}, not {shown}"))
            }
            Cwd::Fixed(_) | Cwd::Unset | Cwd::Preopens => Ok(()),
        }
    }

    fn validate_attributes(&self) -> Result<(), Invalid> {
        let has = |attribute| self.get_attributes().any(|allowed| allowed == attribute);
        let raise = Attribute::RaisePriority;
        if has(raise) && !has(Attribute::Nice) && !has(Attribute::Scheduler) {
            let word = raise.as_str();
            let rule = "is of no use without `nice` or `scheduler`";
            return item("attributes", word, format!("{} {rule}", quoted(word)));
        }
        Ok(())
    }
}

/// The longest name of a group, in bytes.
const GROUP_NAME_MAX: usize = 64;

/// Whether a group may have this name: it becomes the name of a directory,
/// whoever gives it.
pub(crate) fn is_group_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=GROUP_NAME_MAX).contains(&name.len()) && name.bytes().all(is_allowed)
}

impl Group {
    /// Checks what types leave open.
    pub(super) fn validate(&self) -> Result<(), Invalid> {
        let name = self.name();
        if matches!(name, "required" | "preferred") {
            let message = format!("a group cannot be called {}, which has a meaning", quoted(name));
            return value("group", message);
        }
        if !is_group_name(name) {
            let rule = format!(
                "a group's name has 1 to {GROUP_NAME_MAX} letters and digits of ASCII, `-` and `_`"
            );
            return value("group", format!("{rule}, unlike {}", quoted(name)));
        }
        Ok(())
    }
}

fn valid_name(key: &'static str, name: &str) -> Result<(), Invalid> {
    if is_name(name) {
        return Ok(());
    }
    let rule = format!("a name in `{key}` must not be empty nor have `=` or NUL");
    item(key, name, format!("{rule}, unlike {}", quoted(name)))
}

fn has_nul(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().contains(&0)
}
