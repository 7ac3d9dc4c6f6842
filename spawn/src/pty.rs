//! Pseudo-terminals: what a program that wants a terminal is given.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};

use crate::command::Command;
use crate::stdio::{Stdio, above_stdio};

/// A pseudo-terminal: this is the side of whoever plays the terminal. What is
/// written to it is typed, and what the child writes is read from it.
///
/// Reading gives `EIO` once every process that had the other side has closed
/// it, and so has the [`Command`] that [`Command::terminal`] gave it to.
///
/// ```
/// use offspring_spawn::{Command, Program, Pty};
/// use std::io::Read;
///
/// let tty = Program::search("tty", "/bin:/usr/bin".as_ref())?;
/// let pty = Pty::open()?;
/// let child = Command::new(&tty).terminal(&pty)?.spawn()?;
/// // Kept open until the child has ended: closing a terminal hangs it up.
/// let mut terminal = std::fs::File::from(std::os::fd::OwnedFd::from(pty));
/// let mut text = [0; 64];
/// let length = terminal.read(&mut text)?;
/// assert!(text[..length].starts_with(b"/dev/"));
/// assert!(child.wait()?.status.success());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # References
/// - [pty(7)](https://man7.org/linux/man-pages/man7/pty.7.html)
#[derive(Debug)]
pub struct Pty(OwnedFd);

/// How many characters a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WindowSize {
    /// Its lines.
    pub rows: u16,
    /// The characters of a line.
    pub columns: u16,
}

impl Pty {
    /// Opens a new pseudo-terminal, whose size is 0 by 0.
    ///
    /// # Errors
    /// Those of open(2) for `/dev/ptmx`: `EAGAIN` when there are no more.
    pub fn open() -> Result<Pty, Errno> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let fd = openpt(flags).and_then(above_stdio)?;
        unlockpt(&fd)?;
        Ok(Pty(fd))
    }

    /// Opens the other side, which is what a program has as its streams. As
    /// long as it is open somewhere, reading does not end.
    ///
    /// # Errors
    /// Those of ioctl(2) `TIOCGPTPEER`.
    ///
    /// # References
    /// - [TIOCGPTPEER(2const)](https://man7.org/linux/man-pages/man2/TIOCGPTPEER.2const.html)
    pub fn open_peer(&self) -> Result<OwnedFd, Errno> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        ioctl_tiocgptpeer(&self.0, flags).and_then(above_stdio)
    }

    /// Sets the terminal's size, and tells the processes in its foreground by
    /// SIGWINCH.
    ///
    /// # Errors
    /// Those of ioctl(2), though none is expected.
    pub fn resize(&self, size: WindowSize) -> Result<(), Errno> {
        let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.0, size)
    }

    /// The terminal's size.
    ///
    /// # Errors
    /// Those of ioctl(2), though none is expected.
    pub fn window_size(&self) -> Result<WindowSize, Errno> {
        let size = tcgetwinsize(&self.0)?;
        Ok(WindowSize { rows: size.ws_row, columns: size.ws_col })
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Pty> for OwnedFd {
    fn from(pty: Pty) -> OwnedFd {
        pty.0
    }
}

/// Terminals.
impl Command {
    /// Runs the child in this terminal: its three streams are the terminal,
    /// and it leads a new session that the terminal controls, in its
    /// foreground.
    ///
    /// The command holds the terminal's other side as long as it lives.
    ///
    /// # Errors
    /// Those of ioctl(2) `TIOCGPTPEER`.
    ///
    /// # References
    /// - [TIOCGPTPEER(2const)](https://man7.org/linux/man-pages/man2/TIOCGPTPEER.2const.html)
    pub fn terminal(&mut self, pty: &Pty) -> Result<&mut Command, Errno> {
        let side = Arc::new(pty.open_peer()?);
        for stream in &mut self.stdio {
            *stream = Stdio::Fd(Arc::clone(&side));
        }
        Ok(self.new_session(true).controlling_terminal(side))
    }
}
