//! Which arguments fill which slots.

use super::fuzz::rounds;
use super::random::Random;
use crate::policy::args::file::{INTEGER, SLOT};
use crate::policy::*;

/// The slots of a policy file's `args`.
pub(super) fn slots(args: &str) -> Result<Slots, PolicyError> {
    let policy = Policy::parse("p", &format!("program.git = {{ path = 'git', args = {args} }}"))?;
    match policy.grants()[0].get_arguments() {
        Arguments::Slots(slots) => Ok(slots.clone()),
        other => panic!("{other:?}"),
    }
}

/// What is denied of these arguments, which single spaces part; `""` is an empty
/// one.
fn denied(args: &str, given: &str) -> Option<String> {
    let given = given.split(' ').filter(|word| !word.is_empty());
    let given: Vec<String> = given.map(|word| word.replace("\"\"", "")).collect();
    let mismatch = Arguments::Slots(slots(args).unwrap()).check(&given).err();
    mismatch.map(|mismatch| mismatch.message("git", &given))
}

const LOG: &str = r#"["log", { options = ["-1", ["-n", { integer = { min = 1, max = 50 } }],
    { prefix = "--format=" }, { prefix = "--color=", one-of = ["always", "never"] }] },
    { value = "any", optional = true }, { literal = "--", optional = true }]"#;

#[test]
fn what_is_allowed() {
    let table = [
        ("[]", ""),
        ("['a', 'b']", "a b"),
        ("['']", "\"\""),
        (LOG, "log"),
        (LOG, "log -1"),
        (LOG, "log -1 -n 50 --format=%at --color=never HEAD"),
        (LOG, "log --format= --color=always -n 1 -1"),
        (LOG, "log HEAD --"),
        (LOG, "log \"\""),
        ("[{ prefix = 'é', value = 'any' }]", "é"),
        ("[{ prefix = '-j', integer = { max = 8 } }]", "-j0"),
        ("[{ integer = { min = -2, max = 2 } }]", "-2"),
        ("[{ one-of = ['a', 'b'], repeat = true }, 'c']", "a b a c"),
        ("[{ literal = 'a', optional = true, repeat = true }, 'b']", "a a b"),
        ("[{ literal = 'a', optional = true, repeat = true }, 'b']", "b"),
        ("[{ options = ['-a', '-b'], repeat = true }, 'c']", "-b -a -b c"),
        ("[{ rest = 'any' }]", "-x -- \"\" --y=z"),
        ("['x', { rest = 'values' }]", "x"),
        ("['x', { rest = 'values' }]", "x y z"),
        ("[{ rest = 'paths' }]", "/a ../b c"),
    ];
    for (args, given) in table {
        assert_eq!(denied(args, given), None, "{args} {given}");
    }
}

#[test]
fn what_is_denied() {
    let table = [
        ("[]", "a", "argument 1 of `git` may not be `a`; allowed: nothing more"),
        ("['a']", "", "argument 1 of `git` is missing; it may be `a`"),
        ("['a', 'b']", "a", "argument 2 of `git` is missing; it may be `b`"),
        ("['a']", "a a", "argument 2 of `git` may not be `a`; allowed: nothing more"),
        // Bytes, not what they look like.
        ("['status']", "Status", "argument 1 of `git` may not be `Status`; allowed: `status`"),
        ("['a']", "\u{430}", "argument 1 of `git` may not be `\u{430}`; allowed: `a`"),
        (
            // Composed in one, not in the other.
            "['\u{e9}']",
            "e\u{301}",
            "argument 1 of `git` may not be `e\\u{301}`; allowed: `\u{e9}`",
        ),
        ("['a']", "a\n", r"argument 1 of `git` may not be `a\n`; allowed: `a`"),
        ("['a']", "a\u{200b}", r"argument 1 of `git` may not be `a\u{200b}`; allowed: `a`"),
        (
            "[{ value = 'any' }]",
            "--exec=x",
            "argument 1 of `git` may not be `--exec=x`; allowed: a value (no `-` in front)",
        ),
        (
            "[{ prefix = '--to=', value = 'any' }]",
            "--to=-x",
            "argument 1 of `git` may not be `--to=-x`; allowed: `--to=` and a value (no `-` in \
             front)",
        ),
        (
            "[{ path = 'preopens' }]",
            "-x",
            "argument 1 of `git` may not be `-x`; allowed: a path beneath the guest's directories",
        ),
        (
            "[{ path = 'preopens', access = 'write', under = '/src' }]",
            "\"\"",
            "argument 1 of `git` may not be ``; allowed: a path to write to beneath `/src`",
        ),
        (
            LOG,
            "log --format",
            "argument 2 of `git` may not be `--format`; allowed: `-1`, `-n`, `--format=` and \
             anything, `--color=always`, `--color=never`, a value (no `-` in front), `--`",
        ),
        (LOG, "log -1 -1", "argument 3 of `git`, `-1`, is there already"),
        (LOG, "log -n", "argument 3 of `git` is missing; it may be a whole number from 1 to 50"),
        (
            LOG,
            "log -n 51",
            "argument 3 of `git` may not be `51`; allowed: a whole number from 1 to 50",
        ),
        (LOG, "log HEAD HEAD", "argument 3 of `git` may not be `HEAD`; allowed: `--`"),
        (
            "[{ options = ['-a', '-b', '-c', '-d', '-e', '-f', '-g', '-h', '-i', '-j'] }]",
            "-x",
            "argument 1 of `git` may not be `-x`; allowed: `-a`, `-b`, `-c`, `-d`, `-e`, `-f`, \
             `-g`, `-h`, and other things",
        ),
    ];
    for (args, given, message) in table {
        assert_eq!(denied(args, given).as_deref(), Some(message), "{args} {given}");
    }
}

#[test]
fn numbers_as_they_are_usually_written() {
    let args = "[{ integer = { min = -9, max = 100 } }]";
    for number in ["0", "7", "100", "-9"] {
        assert_eq!(denied(args, number), None, "{number}");
    }
    for no in [
        "-0",
        "+1",
        "01",
        "007",
        "0x1",
        "1.0",
        "1e1",
        "1_0",
        "101",
        "-10",
        "",
        "١",
        "１",
        "1\u{a0}",
        "99999999999999999999",
        "--1",
        "-",
        "1\n",
    ] {
        assert!(Arguments::Slots(slots(args).unwrap()).check(&[no.into()]).is_err(), "{no}");
    }
}

#[test]
fn a_synopsis() {
    let synopsis = "log [-1] [-n <1..50>] [--format=<any>] [--color=(always|never)] [<value>] [--]";
    assert_eq!(slots(LOG).unwrap().to_string(), synopsis);
    let table = [
        ("['a b', '', \"\\n\"]", r"'a b' '' '\n'"),
        ("[{ path = 'preopens' }, { rest = 'values' }]", "<path> [<value>]..."),
        (
            "[{ options = ['-v', '-q'], repeat = true }, { literal = 'x', repeat = true }]",
            "[-v]... [-q]... x...",
        ),
        (
            "[{ prefix = '-o', path = 'preopens', under = '/out', access = 'write' }]",
            "-o<path:write /out>",
        ),
    ];
    for (args, synopsis) in table {
        assert_eq!(slots(args).unwrap().to_string(), synopsis);
    }
}

#[test]
fn every_key_of_a_slot_is_read() {
    for key in SLOT {
        let also = if matches!(*key, "under" | "access") { "path = 'preopens', " } else { "" };
        let error = slots(&format!("[{{ {also}{key} = nan }}]")).unwrap_err();
        assert!(error.message().starts_with(&format!("`{key}` must be")), "{error}");
    }
    for key in INTEGER {
        let error = slots(&format!("[{{ integer = {{ {key} = nan }} }}]")).unwrap_err();
        assert!(error.message().starts_with(&format!("`{key}` must be")), "{error}");
    }
}

#[test]
fn too_much() {
    let many = vec!["'a'"; 513].join(", ");
    let error = slots(&format!("[{many}]")).unwrap_err();
    assert_eq!(error.message(), "`args` has 513 words, more than 512");
    let rest = Arguments::Slots(slots("[{ rest = 'paths' }]").unwrap());
    let paths = |count| vec!["x".to_owned(); count];
    assert_eq!(rest.check(&paths(4096)).unwrap().len(), 4096);
    let mismatch = rest.check(&paths(4097)).unwrap_err();
    let message = mismatch.message("git", &paths(4097));
    assert_eq!(message, "argument 4097 of `git`, `x`, is one path more than the 4096 there may be");
}

/// A slot, told in another way than the checked one.
#[derive(Debug, Clone)]
pub(super) struct Place {
    choices: Vec<Vec<Piece>>,
    /// Whether the choices are options.
    options: bool,
    optional: bool,
    repeat: bool,
}

#[derive(Debug, Clone)]
struct Piece {
    prefix: &'static str,
    rest: Rest,
}

#[derive(Debug, Clone)]
enum Rest {
    Texts(Vec<&'static str>),
    Number(i64, i64),
    Anything,
    Value,
    Path,
}

impl Piece {
    fn random(random: &mut Random) -> Piece {
        let texts = ["a", "b", "-a", "--", "-", "1", "", "-1", "ab"];
        let prefix = random.pick(&["", "", "", "a", "-", "--a=", "1"]);
        let rest = match random.below(8) {
            0..=3 => {
                let count = 1 + random.below(2);
                let mut texts: Vec<_> = (0..count).map(|_| random.pick(&texts)).collect();
                texts.dedup();
                Rest::Texts(texts)
            }
            4 => {
                let min = random.pick(&[-2, 0, 1]);
                Rest::Number(min, min + random.pick(&[0, 1, 11]))
            }
            5 => Rest::Anything,
            6 => Rest::Value,
            _ => Rest::Path,
        };
        let needs_prefix = prefix.is_empty() && matches!(rest, Rest::Anything);
        Piece { prefix: if needs_prefix { "a" } else { prefix }, rest }
    }

    fn toml(&self) -> String {
        let mut keys = match &self.rest {
            Rest::Texts(texts) => format!("one-of = {texts:?}, "),
            Rest::Number(min, max) => format!("integer = {{ min = {min}, max = {max} }}, "),
            Rest::Anything => String::new(),
            Rest::Value => "value = 'any', ".to_owned(),
            Rest::Path => "path = 'preopens', ".to_owned(),
        };
        if !self.prefix.is_empty() {
            keys.push_str(&format!("prefix = {:?}, ", self.prefix));
        }
        keys.trim_end_matches(", ").to_owned()
    }

    fn says(&self, word: &str) -> bool {
        let is = |rest: &str| format!("{}{rest}", self.prefix) == word;
        match &self.rest {
            Rest::Texts(texts) => texts.iter().any(|text| is(text)),
            Rest::Number(min, max) => (*min..=*max).any(|number| is(&number.to_string())),
            Rest::Anything => word.starts_with(self.prefix),
            Rest::Value | Rest::Path => {
                let mut rest = word.bytes();
                let starts = self.prefix.bytes().all(|byte| rest.next() == Some(byte));
                let may_be_empty = matches!(self.rest, Rest::Value);
                let first = rest.next();
                let has_nul = !may_be_empty && word.contains('\0');
                starts && first != Some(b'-') && (first.is_some() || may_be_empty) && !has_nul
            }
        }
    }

    fn word(&self, random: &mut Random) -> String {
        let rest = match &self.rest {
            Rest::Texts(texts) => random.pick(texts).to_owned(),
            Rest::Number(min, max) => random.pick(&[*min, *max]).to_string(),
            Rest::Anything => random.pick(&["", "-a", "x"]).to_owned(),
            Rest::Value => random.pick(&["", "a", "1"]).to_owned(),
            Rest::Path => random.pick(&["/a", "a", "1"]).to_owned(),
        };
        format!("{}{rest}", self.prefix)
    }
}

impl Place {
    pub(super) fn random(random: &mut Random) -> Place {
        let options = random.below(4) == 0;
        let count = if options { 1 + random.below(3) } else { 1 };
        let pieces = |random: &mut Random| {
            let count = if options { 1 + random.below(2) } else { 1 };
            (0..count).map(|_| Piece::random(random)).collect()
        };
        Place {
            choices: (0..count).map(|_| pieces(random)).collect(),
            options,
            optional: !options && random.below(3) == 0,
            repeat: random.below(4) == 0,
        }
    }

    pub(super) fn toml(&self) -> String {
        let flag = |name, is| if is { format!(", {name} = true") } else { String::new() };
        let flags = flag("optional", self.optional) + &flag("repeat", self.repeat);
        if !self.options {
            return format!("{{ {}{flags} }}", self.choices[0][0].toml());
        }
        let options = self.choices.iter().map(|pieces| {
            let words: Vec<_> = pieces.iter().map(|it| format!("{{ {} }}", it.toml())).collect();
            format!("[{}]", words.join(", "))
        });
        format!("{{ options = [{}]{flags} }}", options.collect::<Vec<_>>().join(", "))
    }
}

/// Whether these words can be said, by trying every way there is.
pub(super) fn can_be_said(places: &[Place], words: &[String]) -> bool {
    let Some((place, others)) = places.split_first() else { return words.is_empty() };
    if place.options {
        return with_options(place, &vec![0; place.choices.len()], others, words);
    }
    let piece = &place.choices[0][0];
    let most = if place.repeat { words.len() } else { 1.min(words.len()) };
    let least = usize::from(!place.optional);
    (least..=most).any(|count| {
        let (own, rest) = words.split_at(count);
        own.iter().all(|word| piece.says(word)) && can_be_said(others, rest)
    })
}

fn with_options(place: &Place, used: &[u32], others: &[Place], words: &[String]) -> bool {
    if can_be_said(others, words) {
        return true;
    }
    place.choices.iter().enumerate().any(|(index, pieces)| {
        if pieces.len() > words.len() || used[index] > 0 && !place.repeat {
            return false;
        }
        let (own, rest) = words.split_at(pieces.len());
        let mut used = used.to_vec();
        used[index] += 1;
        own.iter().zip(pieces).all(|(word, piece)| piece.says(word))
            && with_options(place, &used, others, rest)
    })
}

/// Words that can be said.
pub(super) fn said(places: &[Place], random: &mut Random) -> Vec<String> {
    let mut words = Vec::new();
    for place in places {
        let mut left: Vec<_> = place.choices.iter().collect();
        let mut count = usize::from(!place.optional && !place.options) + random.below(2);
        if !place.repeat && !place.options {
            count = count.min(1);
        }
        for _ in 0..count.min(if place.repeat { 3 } else { left.len() }) {
            let index = random.below(left.len());
            words.extend(left[index].iter().map(|piece| piece.word(random)));
            if !place.repeat {
                left.remove(index);
            }
        }
    }
    words
}

/// One grammar and some words against it. Returns whether the grammar was taken,
/// and whether the words were.
fn agree(random: &mut Random) -> (bool, bool) {
    let places: Vec<Place> = (0..random.below(4)).map(|_| Place::random(random)).collect();
    let text: Vec<String> = places.iter().map(Place::toml).collect();
    let text = format!("[{}]", text.join(", "));
    let Ok(slots) = slots(&text) else { return (false, false) };
    let mut words = said(&places, random);
    if random.below(2) == 0 && !words.is_empty() {
        // Almost.
        let index = random.below(words.len());
        match random.below(3) {
            0 => drop(words.remove(index)),
            1 => words[index] = random.pick(&["a", "-", "--", "-a", "1", "01", "", "x"]).to_owned(),
            _ => words.insert(index, words[index].clone()),
        }
    }
    let filled = slots.fill(&words);
    assert_eq!(filled.is_ok(), can_be_said(&places, &words), "{text} {words:?} {filled:?}");
    if let Ok(filled) = &filled {
        assert_eq!(filled.len(), words.len());
        assert!(filled.is_sorted_by_key(|filled| filled.slot));
        for (word, filled) in words.iter().zip(filled) {
            let place = &places[filled.slot];
            let (choice, piece) = filled.option.unwrap_or_default();
            assert_eq!(filled.option.is_some(), place.options);
            assert!(place.choices[choice][piece].says(word), "{text} {words:?}");
        }
    }
    (true, filled.is_ok())
}

#[test]
fn slots_allow_what_can_be_said_and_nothing_else() {
    let (mut taken, mut allowed) = (0, 0);
    rounds(3, 60_000, |random| {
        let (is_taken, is_allowed) = agree(random);
        taken += usize::from(is_taken);
        allowed += usize::from(is_allowed);
    });
    let denied = taken - allowed;
    assert!(allowed > 5000 && denied > 5000, "{taken} grammars, {allowed} allowed");
}
