//! Programs for seccomp, in the kernel's language for packet filters.
//!
//! seccompiler, the library that there is for this, gives one answer to all
//! that a filter refuses, and does not tell x32 from x86_64: three answers
//! would be three filters. It looks at the numbers one after the other, too.
//! The kernel runs a new filter for each number there is, to find those that
//! it need not run it for again; that and compiling are what a filter costs
//! each child. So here the number is looked for by halves.
//!
//! # References
//! - [seccomp(2)](https://man7.org/linux/man-pages/man2/seccomp.2.html)

use rustix::io::Errno;

pub(crate) use super::code::Instruction;
use super::code::{
    AND, ARCHITECTURE, ARGUMENTS, Code, JUMP_IF_EQUAL, JUMP_IF_NOT_LESS, LOAD, NUMBER, OR_OTHER,
    Place, TO_OTHER, XOR,
};
use super::key::Key;

/// What the filter answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The call is made.
    Allow,
    /// It is not made, and fails with this error.
    Refuse(Errno),
    /// It is not made, and succeeds.
    Pretend,
}

/// What is asked of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Test {
    /// Which argument, from 0.
    pub(crate) argument: u8,
    pub(crate) half: Half,
    /// The bits that count.
    pub(crate) mask: u32,
    /// What those bits are.
    pub(crate) is: u32,
    /// Whether they are to be that, or anything else.
    pub(crate) so: bool,
}

/// Which half of an argument of 64 bits. The kernel takes an `int` from the low
/// one and does not look at the other, so neither may a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Low,
    High,
}

/// What decides on a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The answer where every test is passed.
    Where { tests: Vec<Test>, answer: Answer },
    /// The call is made if it carries the key.
    Unlocked(Key),
}

/// What is answered to the calls of one number: the first rule that fits.
/// Where none does, the call is made.
pub(crate) type Rules = Vec<Rule>;

/// `AUDIT_ARCH_*`
const OURS: u32 = if cfg!(target_arch = "x86_64") {
    0xc000_003e
} else if cfg!(target_arch = "aarch64") {
    0xc000_00b7
} else {
    0xc000_00f3
};

/// Makes a program of the calls that have rules, in ascending order. Those with
/// numbers above `last`, which no kernel had when the rules were made, do not
/// exist, and on x86_64 those of x32 are among them; nor do those of another
/// architecture.
pub(crate) fn program(calls: &[(u32, Rules)], last: u32) -> Vec<Instruction> {
    let none = Rules::new();
    let unknown = vec![Rule::always(Answer::Refuse(Errno::NOSYS))];
    // Where numbers begin that are answered alike.
    let mut starts: Vec<(u32, &Rules)> = vec![(0, &none)];
    for (number, rules) in calls {
        starts.push((*number, rules));
        starts.push((number + 1, &none));
    }
    starts.push((last + 1, &unknown));
    // Of two with the same number the later one counts.
    starts.dedup_by(|next, before| {
        let same = next.0 == before.0;
        if same {
            before.1 = next.1;
        }
        same
    });
    starts.dedup_by(|next, before| next.1 == before.1);

    let mut code = Code::default();
    let number = search(&mut code, &starts);
    let load_number = code.then(LOAD, NUMBER, number);
    let foreign = code.answer(Answer::Refuse(Errno::NOSYS));
    let is_ours = code.jump_if(JUMP_IF_EQUAL, OURS, load_number, foreign);
    code.then(LOAD, ARCHITECTURE, is_ours);
    code.finish()
}

/// Looks by halves where a number belongs.
fn search(code: &mut Code, starts: &[(u32, &Rules)]) -> Place {
    let (left, right) = starts.split_at(starts.len() / 2);
    match (left, right) {
        ([], [(_, rules)]) => decide(code, rules),
        (left, [(at, _), ..]) => {
            let not_less = search(code, right);
            let less = search(code, left);
            code.jump_if(JUMP_IF_NOT_LESS, *at, not_less, less)
        }
        (_, []) => decide(code, &Rules::new()),
    }
}

/// Looks at the arguments.
fn decide(code: &mut Code, rules: &Rules) -> Place {
    let last = rules.iter().enumerate().find_map(|(index, rule)| match rule {
        Rule::Where { tests, answer } if tests.is_empty() => Some((index, *answer)),
        Rule::Where { .. } | Rule::Unlocked(_) => None,
    });
    let (count, answer) = last.unwrap_or((rules.len(), Answer::Allow));
    let mut next = code.answer(answer);
    for rule in rules[..count].iter().rev() {
        next = match rule {
            Rule::Where { tests, answer } => pass(code, tests, *answer, next),
            Rule::Unlocked(key) => unlock(code, *key, next),
        };
    }
    next
}

/// Answers so where every test is passed, else goes on there.
fn pass(code: &mut Code, tests: &[Test], answer: Answer, next: Place) -> Place {
    let mut passed = code.answer(answer);
    for test in tests.iter().rev() {
        let (so, not) = if test.so { (passed, next) } else { (next, passed) };
        let mut at = code.jump_if(JUMP_IF_EQUAL, test.is, so, not);
        if test.mask != u32::MAX {
            at = code.then(AND, test.mask, at);
        }
        passed = code.then(LOAD, test.offset(), at);
    }
    passed
}

/// Lets a call be made that carries the key, and goes on there with all others. All
/// four words are looked at before anything is decided: how long that takes does not
/// tell how many of them are right.
fn unlock(code: &mut Code, key: Key, next: Place) -> Place {
    let allowed = code.answer(Answer::Allow);
    let mut at = code.jump_if(JUMP_IF_EQUAL, 0, allowed, next);
    for (word, index) in key.words().into_iter().zip(0..4).rev() {
        // What is different so far is in the other register.
        if index > 0 {
            at = code.then(OR_OTHER, 0, at);
        }
        at = code.then(XOR, word, at);
        at = code.then(LOAD, ARGUMENTS + 8 * KEYED + 4 * index, at);
        if index > 0 {
            at = code.then(TO_OTHER, 0, at);
        }
    }
    at
}

/// The first argument that carries a key, from 0.
const KEYED: u32 = 4;

impl Rule {
    pub(crate) fn always(answer: Answer) -> Rule {
        Rule::Where { tests: Vec::new(), answer }
    }
}

impl Test {
    /// Where the half is in `struct seccomp_data`, on these little-endian
    /// machines.
    fn offset(&self) -> u32 {
        let half = match self.half {
            Half::Low => 0,
            Half::High => 4,
        };
        ARGUMENTS + 8 * u32::from(self.argument) + half
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::code::{JUMP, RET_ALLOW, RET_ERRNO, RETURN};
    use super::*;

    /// Runs a program as the kernel would, and returns its answer and how many
    /// instructions that took.
    pub(in super::super) fn run(
        program: &[Instruction],
        architecture: u32,
        number: u32,
        arguments: [u64; 6],
    ) -> (Answer, usize) {
        let (mut accumulator, mut other, mut at, mut steps) = (0, 0, 0, 0);
        loop {
            let Instruction { code, if_true, if_false, value } = program[at];
            at += 1;
            steps += 1;
            match code {
                LOAD => {
                    accumulator = match value {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        offset => {
                            let offset = offset - ARGUMENTS;
                            assert!(offset < 48 && offset.is_multiple_of(4));
                            let word = arguments[offset as usize / 8];
                            half_of(word, !offset.is_multiple_of(8))
                        }
                    }
                }
                AND => accumulator &= value,
                XOR => accumulator ^= value,
                OR_OTHER => accumulator |= other,
                TO_OTHER => other = accumulator,
                JUMP => at += value as usize,
                JUMP_IF_EQUAL if accumulator == value => at += usize::from(if_true),
                JUMP_IF_NOT_LESS if accumulator >= value => at += usize::from(if_true),
                JUMP_IF_EQUAL | JUMP_IF_NOT_LESS => at += usize::from(if_false),
                RETURN => {
                    let answer = match value {
                        RET_ALLOW => Answer::Allow,
                        RET_ERRNO => Answer::Pretend,
                        errno => {
                            let errno = (errno & 0xffff).cast_signed();
                            Answer::Refuse(Errno::from_raw_os_error(errno))
                        }
                    };
                    return (answer, steps);
                }
                other => panic!("no such instruction: {other:#x}"),
            }
        }
    }

    fn half_of(word: u64, high: bool) -> u32 {
        let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
        u32::from_le_bytes(if high { [e, f, g, h] } else { [a, b, c, d] })
    }

    /// The same without a program: what rules mean.
    pub(in super::super) fn mean(
        calls: &[(u32, Rules)],
        last: u32,
        number: u32,
        arguments: [u64; 6],
    ) -> Answer {
        if number > last {
            return Answer::Refuse(Errno::NOSYS);
        }
        let rules = calls.iter().find(|(other, _)| *other == number);
        let fits = |test: &Test| {
            let word = arguments[usize::from(test.argument)];
            let half = half_of(word, test.half == Half::High);
            (half & test.mask == test.is) == test.so
        };
        let mut rules = rules.iter().flat_map(|(_, rules)| rules);
        let answer = |rule: &Rule| match rule {
            Rule::Where { tests, answer } => tests.iter().all(fits).then_some(*answer),
            Rule::Unlocked(key) => {
                let carried = [arguments[4], arguments[5]];
                (key.arguments().map(|word| word as u64) == carried).then_some(Answer::Allow)
            }
        };
        rules.find_map(answer).unwrap_or(Answer::Allow)
    }

    pub(in super::super) const OUR_ARCHITECTURE: u32 = OURS;

    fn refuse(errno: Errno) -> Rules {
        vec![Rule::always(Answer::Refuse(errno))]
    }

    #[test]
    fn neighbours_ends_and_gaps() {
        let calls = [
            (0, refuse(Errno::PERM)),
            (1, refuse(Errno::PERM)),
            (2, refuse(Errno::ACCESS)),
            (7, refuse(Errno::PERM)),
            (9, refuse(Errno::NOSYS)),
        ];
        let code = program(&calls, 9);
        for number in (0..20).chain([0x4000_0000, u32::MAX]) {
            let (answer, _) = run(&code, OURS, number, [0; 6]);
            assert_eq!(answer, mean(&calls, 9, number, [0; 6]), "{number}");
            let (answer, _) = run(&code, OURS ^ 1, number, [0; 6]);
            assert_eq!(answer, Answer::Refuse(Errno::NOSYS));
        }
    }

    #[test]
    fn a_long_program_jumps_far() {
        let calls: Vec<_> = (0..1000).map(|number| (2 * number, refuse(Errno::PERM))).collect();
        let code = program(&calls, 3000);
        assert!(code.len() < 4096, "more than the kernel takes");
        for number in 0..3010 {
            let (answer, steps) = run(&code, OURS, number, [0; 6]);
            assert_eq!(answer, mean(&calls, 3000, number, [0; 6]), "{number}");
            assert!(steps < 40, "{steps} steps");
        }
    }

    #[test]
    fn a_key_unlocks_and_nothing_near_it_does() {
        const KEY: [u64; 2] = [0x0123_4567_89ab_cdef, 0x0f1e_2d3c_4b5a_6978];
        let key = Key::known(KEY);
        let calls = [
            (3, vec![Rule::Unlocked(key), Rule::always(Answer::Refuse(Errno::PERM))]),
            (4, refuse(Errno::PERM)),
        ];
        let code = program(&calls, 9);
        let ask = |number, [low, high]: [u64; 2]| {
            let arguments = [low, high, low, high, low, high];
            let (answer, steps) = run(&code, OURS, number, arguments);
            assert_eq!(answer, mean(&calls, 9, number, arguments));
            (answer, steps)
        };
        let (answer, unlocked) = ask(3, KEY);
        assert_eq!(answer, Answer::Allow);
        assert_eq!(ask(4, KEY).0, Answer::Refuse(Errno::PERM));
        let [low, high] = KEY;
        let bits = (0..64).flat_map(|bit| [[low ^ 1 << bit, high], [low, high ^ 1 << bit]]);
        for wrong in bits.chain([[0, 0], [u64::MAX; 2], [high, low], [low, 0], [0, high]]) {
            let (answer, steps) = ask(3, wrong);
            assert_eq!(answer, Answer::Refuse(Errno::PERM), "{wrong:x?}");
            // Whatever is wrong with it.
            assert_eq!(steps, unlocked);
        }
    }
}
