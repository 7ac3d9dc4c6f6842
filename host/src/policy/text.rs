//! Words in messages: quoted, listed, guessed.

use std::fmt::Write as _;

/// How many characters of a text a message shows. A guest chooses the text, so
/// the length of a message must not be its choice too.
const SHOWN: usize = 80;

/// The text as it may stand in a one-line message: clipped, and with control
/// and other invisible characters escaped.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == SHOWN {
            shown.push('…');
            break;
        }
        match character {
            '\'' | '"' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

/// The text between backticks.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", printable(text))
}

/// The words between backticks, with commas.
pub(crate) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut list = String::new();
    for word in words {
        let comma = if list.is_empty() { "" } else { ", " };
        let _ = write!(list, "{comma}{}", quoted(word));
    }
    list
}

/// The candidate that the word was probably meant to be.
pub(crate) fn near_miss<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .filter_map(|candidate| {
            // A third of the characters may differ. The lengths are compared
            // first, because the distance costs their product.
            let allowed = (candidate.len() / 3).clamp(1, 3);
            if word.len().abs_diff(candidate.len()) > allowed {
                return None;
            }
            let distance = strsim::damerau_levenshtein(word, candidate);
            (distance <= allowed).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_on_one_short_line() {
        assert_eq!(quoted("git"), "`git`");
        assert_eq!(quoted("it's \"é\""), "`it's \"é\"`");
        assert_eq!(quoted("a\n\u{1b}[31m\0\u{202e}"), r"`a\n\u{1b}[31m\0\u{202e}`");
        assert_eq!(quoted(&"x".repeat(80)), format!("`{}`", "x".repeat(80)));
        assert_eq!(quoted(&"x".repeat(1 << 20)), format!("`{}…`", "x".repeat(80)));
    }

    #[test]
    fn guesses() {
        let known = ["git", "env", "env-allow", "env-inherit", "max-children"];
        let guess = |word| near_miss(word, known);
        assert_eq!(guess("gti"), Some("git"));
        assert_eq!(guess("env_allow"), Some("env-allow"));
        assert_eq!(guess("env-alow"), Some("env-allow"));
        assert_eq!(guess("maxchildren"), Some("max-children"));
        for word in ["", "ls", "group", "environment"] {
            assert_eq!(guess(word), None, "{word}");
        }
        assert_eq!(near_miss(&"git".repeat(1 << 18), known), None);
    }
}
