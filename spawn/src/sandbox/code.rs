//! The instructions of seccomp's programs, and how they are put together.
//!
//! # References
//! - [The language](https://docs.kernel.org/networking/filter.html)

use super::bpf::Answer;

/// `struct sock_filter`
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(super) code: u16,
    pub(super) if_true: u8,
    pub(super) if_false: u8,
    pub(super) value: u32,
}

pub(super) const LOAD: u16 = 0x20;
pub(super) const AND: u16 = 0x54;
pub(super) const XOR: u16 = 0xa4;
/// With what is in the other register.
pub(super) const OR_OTHER: u16 = 0x4c;
/// Copies what is in the register to the other one.
pub(super) const TO_OTHER: u16 = 0x07;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_IF_EQUAL: u16 = 0x15;
pub(super) const JUMP_IF_NOT_LESS: u16 = 0x35;
pub(super) const RETURN: u16 = 0x06;

pub(super) const RET_ALLOW: u32 = 0x7fff_0000;
pub(super) const RET_ERRNO: u32 = 0x0005_0000;

// Of `struct seccomp_data`.
pub(super) const NUMBER: u32 = 0;
pub(super) const ARCHITECTURE: u32 = 4;
pub(super) const ARGUMENTS: u32 = 16;

/// A program that is written from its end, because its jumps lead forward only:
/// where one leads to is there before it, and may be there for others already.
/// The kernel compiles it for each child, at a fifth of a microsecond for each
/// instruction.
#[derive(Debug, Default)]
pub(super) struct Code {
    backwards: Vec<Instruction>,
}

/// An instruction, counted from the end of the program.
pub(super) type Place = usize;

/// The farthest that a conditional jump goes.
const FAR: usize = u8::MAX as usize;

impl Code {
    /// The program, as the kernel takes it.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.backwards.reverse();
        self.backwards
    }

    fn push(&mut self, instruction: Instruction) -> Place {
        self.backwards.push(instruction);
        self.backwards.len() - 1
    }

    /// What the next instruction leaves out to come there.
    fn over(&self, place: Place) -> usize {
        self.backwards.len() - 1 - place
    }

    /// The place, or a jump to there if the next instruction cannot come there
    /// by itself, when one more is between them.
    fn within(&mut self, most: usize, place: Place) -> Place {
        match self.over(place) {
            over if over <= most => place,
            over => {
                let value = u32::try_from(over).unwrap_or(u32::MAX);
                self.push(Instruction { code: JUMP, if_true: 0, if_false: 0, value })
            }
        }
    }

    /// The last one that is the same and is near enough to jump there, or a new
    /// one.
    pub(super) fn answer(&mut self, answer: Answer) -> Place {
        let value = match answer {
            Answer::Allow => RET_ALLOW,
            Answer::Refuse(errno) => RET_ERRNO | errno.raw_os_error().unsigned_abs(),
            Answer::Pretend => RET_ERRNO,
        };
        let same = Instruction { code: RETURN, if_true: 0, if_false: 0, value };
        let place = self.backwards.iter().rposition(|instruction| *instruction == same);
        match place {
            Some(place) if self.over(place) < FAR / 2 => place,
            Some(_) | None => self.push(same),
        }
    }

    /// An instruction that computes.
    pub(super) fn then(&mut self, code: u16, value: u32, next: Place) -> Place {
        self.within(0, next);
        self.push(Instruction { code, if_true: 0, if_false: 0, value })
    }

    pub(super) fn jump_if(
        &mut self,
        code: u16,
        value: u32,
        if_true: Place,
        if_false: Place,
    ) -> Place {
        // The second may need a jump of its own, which is over for the first.
        let if_true = self.within(FAR - 1, if_true);
        let if_false = self.within(FAR, if_false);
        let byte = |place| u8::try_from(self.over(place)).unwrap_or(u8::MAX);
        let (if_true, if_false) = (byte(if_true), byte(if_false));
        self.push(Instruction { code, if_true, if_false, value })
    }
}
