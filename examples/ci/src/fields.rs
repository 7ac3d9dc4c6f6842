//! Typed reading of the tree's values. `what` names the value in messages.

use crate::nearest::hint;
use crate::workflow::{Place, Problem};
use crate::yaml::{Key, Node, Value};
use std::collections::BTreeMap;
use std::time::Duration;

impl Node {
    pub fn map(&self, what: &str) -> Result<&[(Key, Node)], Problem> {
        match &self.value {
            Value::Map(entries) => Ok(entries),
            _ => Err(self.problem(format!("{what} must be keys with values, `key: value`"))),
        }
    }

    /// Text without expressions, and not empty.
    pub fn text(&self, what: &str) -> Result<&str, Problem> {
        let text = self.any_text(what)?;
        match text.trim() {
            "" => Err(self.problem(format!("{what} has no value"))),
            _ => Ok(text),
        }
    }

    /// Text without expressions.
    pub fn any_text(&self, what: &str) -> Result<&str, Problem> {
        let text = self.raw_text(what)?;
        if text.contains("${{") {
            return Err(self.problem(format!(
                "expressions, `${{{{ … }}}}`, are not supported in {what}: write the value out"
            )));
        }
        Ok(text)
    }

    pub fn raw_text(&self, what: &str) -> Result<&str, Problem> {
        match &self.value {
            Value::Scalar { text, plain: true } if text == "~" || text == "null" => Ok(""),
            Value::Scalar { text, .. } if text.contains('\0') => {
                Err(self.problem(format!("{what} has a NUL in it")))
            }
            Value::Scalar { text, .. } => Ok(text),
            _ => Err(self.problem(format!("{what} must be text"))),
        }
    }

    pub fn list(&self, what: &str) -> Result<&[Node], Problem> {
        match &self.value {
            Value::List(items) if items.is_empty() => Err(self.problem(format!("{what} is empty"))),
            Value::List(items) => Ok(items),
            _ => Err(self.problem(format!("{what} must be a list, `- item`"))),
        }
    }

    /// One text or a list of them, each with its place.
    pub fn texts(&self, what: &str) -> Result<Vec<(Place, &str)>, Problem> {
        let items = match &self.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(self),
        };
        items.iter().map(|item| Ok((item.place, item.text(what)?))).collect()
    }

    pub fn flag(&self, what: &str) -> Result<bool, Problem> {
        match self.text(what)? {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(self.problem(format!("{what} is `true` or `false`, not `{other}`"))),
        }
    }

    pub fn minutes(&self, what: &str) -> Result<Duration, Problem> {
        let text = self.text(what)?;
        let minutes = text.parse::<f64>().ok().filter(|minutes| *minutes > 0.0);
        minutes.and_then(|minutes| Duration::try_from_secs_f64(minutes * 60.0).ok()).ok_or_else(
            || self.problem(format!("{what} is a number of minutes above 0, not `{text}`")),
        )
    }

    /// Bytes, with a unit or none.
    pub fn bytes(&self, what: &str) -> Result<u64, Problem> {
        let text = self.text(what)?;
        let units = [("K", 10), ("M", 20), ("G", 30)];
        let found = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
        let (number, shift) = found.unwrap_or((text, &0));
        let bytes = number.parse().ok().and_then(|number: u64| number.checked_mul(1 << shift));
        bytes.filter(|bytes| *bytes > 0).ok_or_else(|| {
            self.problem(format!("{what} is a number of bytes such as 512M, not `{text}`"))
        })
    }

    pub fn count(&self, what: &str) -> Result<u64, Problem> {
        let text = self.text(what)?;
        text.parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| self.problem(format!("{what} is a whole number above 0, not `{text}`")))
    }

    /// Hundredths of a processor.
    pub fn percent(&self, what: &str) -> Result<u32, Problem> {
        let text = self.text(what)?;
        let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
        percent.filter(|percent| (1..=100_000).contains(percent)).ok_or_else(|| {
            self.problem(format!("{what} is a part of one processor such as 150%, not `{text}`"))
        })
    }

    /// Adds the variables to those that are there already.
    pub fn env(&self, env: &mut BTreeMap<String, String>) -> Result<(), Problem> {
        for (key, value) in self.map("`env`")? {
            if key.text.is_empty() || key.text.contains(['=', '\0']) {
                return Err(key.place.problem(format!("`{}` cannot name a variable", key.text)));
            }
            let value = value.any_text(&format!("`{}`", key.text))?;
            env.insert(key.text.clone(), value.to_owned());
        }
        Ok(())
    }

    pub fn problem(&self, message: impl Into<String>) -> Problem {
        self.place.problem(message)
    }
}

impl Key {
    /// Says that this key is not known here, or known from GitHub and why it
    /// is not supported.
    pub fn unknown(&self, what: &str, known: &[&str], unsupported: &[(&str, &str)]) -> Problem {
        let key = &self.text;
        self.place.problem(match unsupported.iter().find(|(name, _)| name == key) {
            Some((_, instead)) => format!("`{key}` is not supported in {what}: {instead}"),
            None => format!("{what} has no key `{key}`{}", hint(key, known.iter().copied())),
        })
    }

    /// Checks a name that other places refer to.
    pub fn identifier(&self) -> Result<&str, Problem> {
        identifier(&self.text, self.place)
    }
}

/// Checks a name that other places refer to.
pub fn identifier(text: &str, place: Place) -> Result<&str, Problem> {
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if first && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Ok(text);
    }
    Err(place.problem(format!(
        "`{text}` is not an id: a letter or `_`, then letters, digits, `-` and `_`"
    )))
}
