//! Many forks, as many as the first argument says and some at once: with everything
//! that a process has in use, and forks of their own.

use std::collections::VecDeque;
use std::io::{Read, Seek, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use offspring_guest::{PidFd, PipeReader, fork, pipe};

/// How many live at once besides their own forks.
const AT_ONCE: usize = 3;

/// What is known of a fork until it is waited for.
struct Made {
    child: PidFd,
    reader: PipeReader,
    byte: u8,
}

impl Made {
    fn finish(mut self) {
        let byte = self.byte;
        let mut all = Vec::new();
        self.reader.read_to_end(&mut all).expect("all of it");
        let status = self.child.wait().expect("it ends");
        assert_eq!((status.code(), &*all), (Some(byte.into()), &[byte, byte][..]), "{status}");
    }
}

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let count: u32 = count.expect("a number");
    let mut file = std::fs::File::create_new("/dir/file").expect("it is made");
    let listener = TcpListener::bind("127.0.0.1:0").expect("it listens");
    let address = listener.local_addr().expect("it has an address");
    let mut one = TcpStream::connect(address).expect("it connects");
    let (mut other, _) = listener.accept().expect("it connects");
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("it is bound");
    let datagrams_at = datagrams.local_addr().expect("it has an address");
    let mut memory = Vec::new();
    let mut living = VecDeque::new();
    for round in 0..count {
        let byte = round.to_le_bytes()[0];
        memory.push(vec![byte; 1 + (round as usize * 7919) % 100_000]);
        if memory.len() > 20 {
            memory.swap_remove((round as usize * 31) % 20);
        }
        file.rewind().expect("it can be sought");
        file.write_all(&[byte]).expect("it is written");
        let (reader, mut writer) = pipe().expect("a pipe");
        let child = fork::spawn(|| {
            memory.push(vec![byte; 50_000]);
            one.write_all(&[byte]).expect("it is read");
            writer.write_all(&[byte, byte]).expect("it is read");
            match round % 8 {
                0 => {
                    let inner = fork::spawn(|| byte).expect("it forks").wait();
                    u8::try_from(inner.expect("it ends").code().expect("by itself")).unwrap_or(0)
                }
                1 => {
                    let name = format!("/dir/{round}");
                    std::fs::write(&name, [byte]).expect("it is written");
                    std::fs::remove_file(&name).expect("it is there");
                    byte
                }
                2 => {
                    let own = UdpSocket::bind("127.0.0.1:0").expect("it is bound");
                    own.send_to(&[byte], datagrams_at).expect("it is sent");
                    byte
                }
                3 => {
                    let mut stream = TcpStream::connect(address).expect("it connects");
                    stream.write_all(&[byte]).expect("there is room");
                    byte
                }
                _ => {
                    std::thread::sleep(Duration::from_micros(50));
                    byte
                }
            }
        });
        let child = child.expect("it forks");
        drop(writer);
        let mut heard = [0];
        other.read_exact(&mut heard).expect("it is sent");
        assert_eq!(heard[0], byte);
        match round % 8 {
            2 => assert_eq!(datagrams.recv(&mut heard).expect("it is sent"), 1),
            3 => {
                let (mut stream, _) = listener.accept().expect("it connects");
                stream.read_exact(&mut heard).expect("it is sent");
            }
            _ => {}
        }
        assert_eq!(heard[0], byte);
        living.push_back(Made { child, reader, byte });
        if living.len() > AT_ONCE {
            living.pop_front().into_iter().for_each(Made::finish);
        }
    }
    living.into_iter().for_each(Made::finish);
}
