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

/// `struct sock_filter`
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    value: u32,
}

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

/// The answer where every test is passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) tests: Vec<Test>,
    pub(crate) answer: Answer,
}

/// What is answered to the calls of one number: the first rule that fits.
/// Where none does, the call is made.
pub(crate) type Rules = Vec<Rule>;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_NOT_LESS: u16 = 0x35;
const RETURN: u16 = 0x06;

const RET_ALLOW: u32 = 0x7fff_0000;
const RET_ERRNO: u32 = 0x0005_0000;

// Of `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

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
    let unknown = vec![Rule { tests: Vec::new(), answer: Answer::Refuse(Errno::NOSYS) }];
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

    let mut program = vec![
        load(ARCHITECTURE),
        jump_if(JUMP_IF_EQUAL, OURS, 1, 0),
        answer(Answer::Refuse(Errno::NOSYS)),
        load(NUMBER),
    ];
    program.extend(search(&starts));
    program
}

/// Looks by halves where a number belongs.
fn search(starts: &[(u32, &Rules)]) -> Vec<Instruction> {
    let (left, right) = starts.split_at(starts.len() / 2);
    let (left, (at, right)) = match (left, right) {
        ([], [(_, rules)]) => return decide(rules),
        (left, [(at, _), ..]) => (search(left), (*at, search(right))),
        (_, []) => return decide(&Rules::new()),
    };
    let mut code = match u8::try_from(left.len()) {
        Ok(length) => vec![jump_if(JUMP_IF_NOT_LESS, at, length, 0)],
        // A conditional jump is not that long.
        Err(_) => vec![jump_if(JUMP_IF_NOT_LESS, at, 0, 1), jump(left.len())],
    };
    code.extend(left);
    code.extend(right);
    code
}

/// Looks at the arguments.
fn decide(rules: &Rules) -> Vec<Instruction> {
    let mut code = Vec::new();
    for Rule { tests, answer: meant } in rules {
        let mut tail = vec![answer(*meant)];
        for test in tests.iter().rev() {
            // To behind this rule.
            let over = u8::try_from(tail.len()).unwrap_or(u8::MAX);
            let (if_true, if_false) = if test.so { (0, over) } else { (over, 0) };
            let mut head = vec![load(test.offset())];
            if test.mask != u32::MAX {
                head.push(Instruction { code: AND, if_true: 0, if_false: 0, value: test.mask });
            }
            head.push(jump_if(JUMP_IF_EQUAL, test.is, if_true, if_false));
            head.extend(tail);
            tail = head;
        }
        code.extend(tail);
        if tests.is_empty() {
            return code;
        }
    }
    code.push(answer(Answer::Allow));
    code
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

fn load(value: u32) -> Instruction {
    Instruction { code: LOAD, if_true: 0, if_false: 0, value }
}

fn jump_if(code: u16, value: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, if_true, if_false, value }
}

fn jump(length: usize) -> Instruction {
    let value = u32::try_from(length).unwrap_or(u32::MAX);
    Instruction { code: JUMP, if_true: 0, if_false: 0, value }
}

fn answer(answer: Answer) -> Instruction {
    let value = match answer {
        Answer::Allow => RET_ALLOW,
        Answer::Refuse(errno) => RET_ERRNO | errno.raw_os_error().unsigned_abs(),
        Answer::Pretend => RET_ERRNO,
    };
    Instruction { code: RETURN, if_true: 0, if_false: 0, value }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Runs a program as the kernel would, and returns its answer and how many
    /// instructions that took.
    pub(in super::super) fn run(
        program: &[Instruction],
        architecture: u32,
        number: u32,
        arguments: [u64; 6],
    ) -> (Answer, usize) {
        let (mut accumulator, mut at, mut steps) = (0, 0, 0);
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
        rules.find(|rule| rule.tests.iter().all(fits)).map_or(Answer::Allow, |rule| rule.answer)
    }

    pub(in super::super) const OUR_ARCHITECTURE: u32 = OURS;

    fn refuse(errno: Errno) -> Rules {
        vec![Rule { tests: Vec::new(), answer: Answer::Refuse(errno) }]
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
}
