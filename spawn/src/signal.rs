//! Signals, by number and by name.

use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

/// A signal of Linux: 1 to 64.
///
/// Numbers are those of x86_64, aarch64 and riscv64, which agree.
///
/// # References
/// - [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(NonZeroU8);

/// How many signals the kernel has, and the largest number of one.
const COUNT: u8 = 64;

/// The kernel's first real-time signal. C libraries report a later one as
/// SIGRTMIN, because they keep the first few for themselves.
const FIRST_REAL_TIME: u8 = 32;

macro_rules! signals {
    ($($number:literal $name:ident $text:literal;)*) => {
        impl Signal {
            $(
                #[doc = $text]
                pub const $name: Signal = Signal(NonZeroU8::new($number).unwrap());
            )*
        }

        /// The standard signals without their prefix SIG, in the order of
        /// their numbers, which start with 1.
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

signals! {
    1 HUP "The terminal was closed.";
    2 INT "Interrupt from the keyboard.";
    3 QUIT "Quit from the keyboard.";
    4 ILL "Illegal instruction.";
    5 TRAP "Trace or breakpoint trap.";
    6 ABRT "`abort` was called.";
    7 BUS "Bad memory access.";
    8 FPE "Arithmetic error.";
    9 KILL "Kill; cannot be caught.";
    10 USR1 "Defined by the program.";
    11 SEGV "Invalid memory reference.";
    12 USR2 "Defined by the program.";
    13 PIPE "A pipe without readers was written to.";
    14 ALRM "A timer ended.";
    15 TERM "Asks the process to end.";
    16 STKFLT "Unused by the kernel.";
    17 CHLD "A child stopped or ended.";
    18 CONT "Continue if stopped.";
    19 STOP "Stop; cannot be caught.";
    20 TSTP "Stop from the keyboard.";
    21 TTIN "A background process read from the terminal.";
    22 TTOU "A background process wrote to the terminal.";
    23 URG "Urgent data on a socket.";
    24 XCPU "The limit of processor time is exceeded.";
    25 XFSZ "The limit of file size is exceeded.";
    26 VTALRM "A timer of processor time ended.";
    27 PROF "A profiling timer ended.";
    28 WINCH "The terminal's window changed its size.";
    29 IO "Input or output is possible.";
    30 PWR "Power failure.";
    31 SYS "A bad system call, or one that a seccomp filter refused.";
}

impl Signal {
    /// The signal with this number, if there is one.
    pub const fn from_raw(number: i32) -> Option<Signal> {
        if number < 1 || number > COUNT as i32 {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "1 to 64 was just checked"
        )]
        match NonZeroU8::new(number as u8) {
            Some(number) => Some(Signal(number)),
            None => None,
        }
    }

    /// The signal's number.
    pub const fn as_raw(self) -> i32 {
        self.0.get() as i32
    }

    /// The signal's name without its prefix, such as `TERM`, or `None` for a
    /// real-time signal.
    pub fn name(self) -> Option<&'static str> {
        NAMES.get(usize::from(self.0.get()) - 1).copied()
    }

    /// Counts real-time signals from the kernel's first one, number 32: 0 to
    /// 32. `None` for a standard signal.
    pub fn real_time(self) -> Option<u8> {
        self.0.get().checked_sub(FIRST_REAL_TIME)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownSignal;

impl fmt::Display for UnknownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no signal has this name")
    }
}

impl std::error::Error for UnknownSignal {}

impl FromStr for Signal {
    type Err = UnknownSignal;

    /// Reads a standard signal's name, with or without `SIG`.
    fn from_str(text: &str) -> Result<Signal, UnknownSignal> {
        let name = text.strip_prefix("SIG").unwrap_or(text);
        let index = NAMES.iter().position(|known| *known == name);
        index
            .and_then(|index| i32::try_from(index + 1).ok())
            .and_then(Signal::from_raw)
            .ok_or(UnknownSignal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_agree() {
        assert_eq!(NAMES.len(), 31);
        for number in 1..=64 {
            let signal = Signal::from_raw(number).unwrap();
            assert_eq!(signal.as_raw(), number);
            match signal.name() {
                Some(name) => assert_eq!(name.parse(), Ok(signal)),
                None => assert_eq!(signal.real_time().map(i32::from), Some(number - 32)),
            }
        }
        assert_eq!(Signal::KILL.as_raw(), 9);
        assert_eq!(Signal::SYS.as_raw(), 31);
        assert_eq!("SIGTERM".parse(), Ok(Signal::TERM));
    }

    #[test]
    fn what_is_no_signal() {
        for number in [i32::MIN, -1, 0, 65, 256, i32::MAX] {
            assert_eq!(Signal::from_raw(number), None);
        }
        for text in ["", "SIG", "term", "SIGSIGTERM", "9"] {
            assert_eq!(text.parse::<Signal>(), Err(UnknownSignal));
        }
    }
}
