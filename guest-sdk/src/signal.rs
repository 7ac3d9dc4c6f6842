//! Signals, by the numbers that Linux gives them on x86_64 and aarch64.

use crate::bindings::types;
use std::fmt;

/// A signal.
///
/// Displays as its name, such as `SIGTERM`; a real-time signal, which has
/// none, as `signal 34`.
///
/// # References
/// - <https://man7.org/linux/man-pages/man7/signal.7.html>
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// The kernel's first real-time signal.
const FIRST_REAL_TIME: u8 = 32;
const LAST: u8 = 64;

macro_rules! signals {
    ($($number:literal $name:ident $case:ident $what:literal)*) => {
        impl Signal {
            $(
                #[doc = concat!("SIG", stringify!($name), ": ", $what, ".")]
                pub const $name: Self = Self($number);
            )*

            /// The signal's name, such as `SIGTERM`, unless it is a real-time
            /// signal.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(concat!("SIG", stringify!($name))),)*
                    _ => None,
                }
            }

            pub(crate) fn from_host(signal: types::Signal) -> Self {
                match signal {
                    $(types::Signal::$case => Self::$name,)*
                    types::Signal::RealTime(index) => {
                        Self(FIRST_REAL_TIME.saturating_add(index).min(LAST))
                    }
                }
            }

            pub(crate) fn to_host(self) -> types::Signal {
                match self.0 {
                    $($number => types::Signal::$case,)*
                    real_time => types::Signal::RealTime(real_time - FIRST_REAL_TIME),
                }
            }
        }
    };
}

signals! {
    1 HUP Hup "the terminal was closed"
    2 INT Int "interrupt from the keyboard"
    3 QUIT Quit "quit from the keyboard"
    4 ILL Ill "illegal instruction"
    5 TRAP Trap "trace or breakpoint trap"
    6 ABRT Abrt "`abort` was called"
    7 BUS Bus "bad memory access"
    8 FPE Fpe "arithmetic error"
    9 KILL Kill "kill; cannot be caught"
    10 USR1 Usr1 "defined by the program"
    11 SEGV Segv "bad address"
    12 USR2 Usr2 "defined by the program"
    13 PIPE Pipe "a pipe without readers was written to"
    14 ALRM Alrm "a timer ended"
    15 TERM Term "asks the process to end"
    16 STKFLT Stkflt "unused by the kernel"
    17 CHLD Chld "a child stopped or ended"
    18 CONT Cont "continue if stopped"
    19 STOP Stop "stop; cannot be caught"
    20 TSTP Tstp "stop from the keyboard"
    21 TTIN Ttin "a background process read from the terminal"
    22 TTOU Ttou "a background process wrote to the terminal"
    23 URG Urg "urgent data on a socket"
    24 XCPU Xcpu "the limit of processor time is exceeded"
    25 XFSZ Xfsz "the limit of file size is exceeded"
    26 VTALRM Vtalrm "a timer of processor time ended"
    27 PROF Prof "a profiling timer ended"
    28 WINCH Winch "the terminal's window changed its size"
    29 IO Io "input or output is possible"
    30 PWR Pwr "power failure"
    31 SYS Sys "a bad system call, or one that a filter refused"
}

impl Signal {
    /// The signal with this number, 1 to 64.
    pub fn from_number(number: i32) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (1..=LAST).contains(&number).then_some(Self(number))
    }

    /// The number that Linux gives it.
    pub fn number(self) -> i32 {
        self.0.into()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signal({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_the_way_to_the_host_and_back() {
        for number in 1..=64 {
            let signal = Signal::from_number(number).unwrap();
            assert_eq!(Signal::from_host(signal.to_host()), signal);
            assert_eq!(signal.number(), number);
            assert_eq!(signal.name().is_some(), number < 32);
        }
        assert_eq!(Signal::from_number(0), None);
        assert_eq!(Signal::from_number(65), None);
        assert_eq!(Signal::from_number(-1), None);
    }

    #[test]
    fn names_are_those_of_linux() {
        assert_eq!(Signal::TERM.to_string(), "SIGTERM");
        assert_eq!(Signal::from_number(34).unwrap().to_string(), "signal 34");
    }
}
