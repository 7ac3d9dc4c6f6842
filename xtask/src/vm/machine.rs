//! An emulated machine.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::image::Image;
use super::packages::EMULATOR;
use std::path::Path;

/// The machines, by who starts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// `tests/vm/init`: cgroups of version 1, both, and version 2.
    Bare,
    /// systemd, with one service.
    Systemd,
}

impl Machine {
    /// The first process, and what it is told.
    fn init(self) -> &'static str {
        match self {
            Machine::Bare => "rdinit=/init",
            Machine::Systemd => {
                "rdinit=/lib/systemd/systemd systemd.show_status=0 systemd.log_level=warning \
                 systemd.log_target=console"
            }
        }
    }

    /// Boots it, and hands over each line that it says until it turns itself off;
    /// at the end of this time it is turned off.
    ///
    /// # Errors
    /// What could not be done, in a sentence for people.
    pub fn run(
        self,
        kernel: &Path,
        image: &Image,
        patience: Duration,
        mut each: impl FnMut(&str),
    ) -> Result<(), String> {
        let mut machine = Command::new(EMULATOR)
            // Half of what the image leaves is what it may be unpacked to, and with debug
            // information, as a build by hand has it, it has three quarters of a GiB.
            .args(["-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "4096"])
            .args(["-nodefaults", "-no-reboot", "-display", "none", "-serial", "stdio"])
            // A block device whose driver is built in. Nothing is written to it.
            .arg("-drive")
            .arg(format!("file={},format=raw,if=none,id=disk,readonly=on", image.disk.display()))
            .args(["-device", "nvme,serial=1,drive=disk"])
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(&image.files)
            .args(["-append", &format!("console=ttyS0 quiet loglevel=1 panic=-1 {}", self.init())])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {EMULATOR}: {error}"))?;
        let lines = lines_of(&mut machine);
        let start = Instant::now();
        loop {
            match lines.recv_timeout(patience.saturating_sub(start.elapsed())) {
                Ok(line) => each(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    println!("the machines took too long and are turned off");
                    break;
                }
            }
        }
        // It has ended, or never will.
        let _ = machine.kill();
        machine.wait().map_err(|error| format!("cannot wait for the machine: {error}"))?;
        Ok(())
    }
}

/// What the machine writes to its console, line by line.
fn lines_of(machine: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(console) = machine.stdout.take() {
        thread::spawn(move || {
            let mut console = BufReader::new(console);
            let mut bytes = Vec::new();
            while console.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
                let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                bytes.clear();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}
