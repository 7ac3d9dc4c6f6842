//! What children write, made fit for one line of a terminal.

/// The longest line that is kept together.
const MAX_LINE: usize = 16 << 10;

/// Cuts a stream into lines.
#[derive(Debug, Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    /// Takes what was read, and gives every line that it ends.
    pub fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.add(&bytes[..end], &mut line);
            line(&self.0);
            self.0.clear();
            bytes = &bytes[end + 1..];
        }
        self.add(bytes, &mut line);
    }

    /// Gives what is left.
    pub fn finish(&mut self, mut line: impl FnMut(&[u8])) {
        if !self.0.is_empty() {
            line(&self.0);
            self.0.clear();
        }
    }

    fn add(&mut self, mut bytes: &[u8], line: &mut impl FnMut(&[u8])) {
        while self.0.len() + bytes.len() > MAX_LINE {
            let (now, later) = bytes.split_at(MAX_LINE - self.0.len());
            self.0.extend_from_slice(now);
            let rest = self.0.split_off(whole_characters(&self.0));
            line(&self.0);
            self.0 = rest;
            bytes = later;
        }
        self.0.extend_from_slice(bytes);
    }
}

/// How many of these bytes do not cut a character in two.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(4);
    let start = bytes[tail..].iter().rposition(|&byte| byte & 0b1100_0000 != 0b1000_0000);
    match start.map(|start| tail + start) {
        Some(start) if start > 0 && bytes[start] >= 0b1100_0000 => start,
        _ => bytes.len(),
    }
}

/// One line as text. Of control sequences only colours stay, and those only on
/// request; of a line that was written over, what was written last.
pub fn clean(line: &[u8], colour: bool) -> String {
    let line = line.trim_ascii_end();
    let last = line.rsplit(|&byte| byte == b'\r').next().unwrap_or(line);
    let text = String::from_utf8_lossy(last);
    let mut clean = String::with_capacity(text.len());
    let mut coloured = false;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => {
                if let Some(code) = escape(&mut rest).filter(|_| colour) {
                    clean.extend(["\x1b[", code, "m"]);
                    coloured = true;
                }
            }
            '\t' => clean.push(c),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    if coloured {
        clean.push_str("\x1b[0m");
    }
    clean
}

/// Skips an escape sequence. Returns the code if it is a colour.
fn escape<'a>(rest: &mut std::str::Chars<'a>) -> Option<&'a str> {
    match rest.next()? {
        '[' => {
            let text = rest.as_str();
            let end = rest.position(|c| ('@'..='~').contains(&c))?;
            let code = text.get(..end)?;
            let colour = code.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'));
            (colour && text[end..].starts_with('m')).then_some(code)
        }
        // Titles, links and the like end with BEL or ESC \.
        ']' | 'P' | 'X' | '^' | '_' => {
            while let Some(c) = rest.next() {
                if c == '\x07' || (c == '\x1b' && rest.next() == Some('\\')) {
                    break;
                }
            }
            None
        }
        // The set of characters, by one more.
        ' ' | '#' | '%' | '(' | ')' | '*' | '+' => {
            rest.next();
            None
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut all = Vec::new();
        let mut push = |line: &[u8]| all.push(String::from_utf8_lossy(line).into_owned());
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.feed(chunk, &mut push);
        }
        lines.finish(&mut push);
        all
    }

    #[test]
    fn lines_come_whole_and_in_order() {
        assert_eq!(lines(&[b"a\nb", b"c\n\nd"]), ["a", "bc", "", "d"]);
        assert_eq!(lines(&[b""]), [""; 0]);
        assert_eq!(lines(&["ä\n".as_bytes()]), ["ä"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let long = format!("x{}", "ä".repeat(MAX_LINE));
        let cut = lines(&[long.as_bytes()]);
        assert_eq!(cut.len(), 3);
        assert!(cut.iter().all(|line| line.len() <= MAX_LINE && !line.contains('\u{fffd}')));
        assert_eq!(cut.concat(), long);
        assert_eq!(lines(&[&[0x80; MAX_LINE + 1]]).len(), 2);
    }

    #[test]
    fn colours_stay_and_nothing_else_does() {
        let cases = [
            ("plain\r\n", "plain", "plain"),
            ("10%\r50%\r100%", "100%", "100%"),
            ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m\x1b[0m", "red"),
            ("a\x1b[2Jb\x1b[1;1Hc\x1b[?25l", "abc", "abc"),
            ("\x1b]0;title\x07a\x1b]8;;x\x1b\\b", "ab", "ab"),
            ("\x1b(Ba\x1b=b\x1bcc\x07\x08", "abc", "abc"),
            ("a\tb\u{9b}31m", "a\tb31m", "a\tb31m"),
            ("\x1b[31", "", ""),
            ("\x1b[ä\x1b", "", ""),
            ("\x1b", "", ""),
        ];
        for (line, colour, plain) in cases {
            assert_eq!(clean(line.as_bytes(), true), colour, "{line:?}");
            assert_eq!(clean(line.as_bytes(), false), plain, "{line:?}");
        }
        assert_eq!(clean(b"\xff", false), "\u{fffd}");
    }
}
