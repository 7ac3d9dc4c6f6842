//! Words of a command line, by the quoting rules of the shell and nothing else
//! of it: no expansion, no redirection, no second command.

/// Characters that mean something to a shell when they are not quoted. Passing
/// them on as they are would run something else than what was meant.
const MEANINGFUL: &str = "|&;<>()$`*?[";

/// Splits a line into words.
pub fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    // `Some` from a word's first character or quote on, so that '' is a word.
    let mut word: Option<String> = None;
    let mut chars = line.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => return Err("without a shell, a step is one line".into()),
            c if c.is_whitespace() => words.extend(word.take()),
            '#' if word.is_none() => break,
            '\'' => single(&mut chars, word.get_or_insert_default())?,
            '"' => double(&mut chars, word.get_or_insert_default())?,
            '\\' => {
                let next = chars.next().ok_or("a `\\` at the end quotes nothing")?;
                word.get_or_insert_default().push(next);
            }
            c if MEANINGFUL.contains(c) => {
                return Err(format!("`{c}` needs a shell: quote it, or say `shell: sh`"));
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    for c in chars {
        match c {
            '\'' => return Ok(()),
            c => word.push(c),
        }
    }
    Err("a `'` is not closed".into())
}

fn double(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(()),
            '$' | '`' => {
                return Err(format!("`{c}` needs a shell: use single quotes, or say `shell: sh`"));
            }
            '\\' => match chars.next() {
                Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => break,
            },
            c => word.push(c),
        }
    }
    Err("a `\"` is not closed".into())
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn quoting() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  git   status ", &["git", "status"]),
            ("a 'b c' \"d e\"", &["a", "b c", "d e"]),
            ("a'b'\"c\"d", &["abcd"]),
            ("a '' \"\"", &["a", "", ""]),
            (r"a\ b \'c", &["a b", "'c"]),
            (r#""a\"b\\c\d""#, &[r#"a"b\c\d"#]),
            (r#"'a\b$c*'"#, &[r"a\b$c*"]),
            (r#""a * b; c""#, &["a * b; c"]),
            ("a b#c # d", &["a", "b#c"]),
            ("a\tb", &["a", "b"]),
        ];
        for (line, words) in cases {
            assert_eq!(split(line).unwrap(), *words, "{line}");
        }
    }

    #[test]
    fn what_only_a_shell_can_do_is_refused() {
        for line in ["a | b", "a > b", "a; b", "a && b", "echo $HOME", "ls *.rs", "a `b`"] {
            assert!(split(line).unwrap_err().contains("needs a shell"), "{line}");
        }
        assert!(split("echo \"$HOME\"").unwrap_err().contains("single quotes"));
        assert!(split("a 'b").unwrap_err().contains("not closed"));
        assert!(split("a \"b").unwrap_err().contains("not closed"));
        assert!(split("a \"b\\").unwrap_err().contains("not closed"));
        assert!(split("a \\").unwrap_err().contains("at the end"));
        assert!(split("a\nb").unwrap_err().contains("one line"));
    }
}
