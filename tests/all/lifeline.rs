//! Telling from outside that processes are gone.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};

use crate::place::Place;

/// A named pipe that processes hold open: it is at its end when all of them
/// are gone, whoever was their parent.
#[derive(Debug)]
pub struct Lifeline {
    place: Place,
    reader: File,
}

/// How long a killed process may take to be gone on a busy machine, before it
/// is called alive.
const PATIENCE: Duration = Duration::from_secs(60);

impl Lifeline {
    pub fn new() -> Lifeline {
        let place = Place::new();
        let path = place.path("lifeline");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let reader = openat(CWD, &path, flags, Mode::empty()).unwrap();
        Lifeline { place, reader: reader.into() }
    }

    /// What the processes are to open for writing.
    pub fn path(&self) -> String {
        self.place.path("lifeline").to_str().unwrap().to_owned()
    }

    /// Waits until all who have opened it are gone, if anybody has, and returns what
    /// they wrote.
    #[track_caller]
    pub fn last_words(mut self) -> String {
        // A pipe that nobody has opened yet is not at its end.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        drop(openat(CWD, self.place.path("lifeline"), flags, Mode::empty()).unwrap());
        let mut words = String::new();
        loop {
            let mut fds = [PollFd::new(&self.reader, PollFlags::IN)];
            let patience = Timespec::try_from(PATIENCE).unwrap();
            assert_eq!(poll(&mut fds, Some(&patience)).unwrap(), 1, "a process lives on");
            let mut bytes = [0; 64];
            match self.reader.read(&mut bytes).unwrap() {
                0 => return words,
                count => words.push_str(str::from_utf8(&bytes[..count]).unwrap()),
            }
        }
    }

    /// Waits until all who have opened it are gone; somebody must have.
    #[track_caller]
    pub fn assert_gone(mut self) {
        let mut fds = [PollFd::new(&self.reader, PollFlags::empty())];
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let hung_up = poll(&mut fds, Some(&patience)).unwrap();
        assert_eq!(hung_up, 1, "a process lives on, or none was there");
        assert_eq!(self.reader.read(&mut [0]).unwrap(), 0);
    }
}
