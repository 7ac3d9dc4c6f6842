//! Many forks, one after the other, as many as the first argument says: with
//! everything that a process has in use, and forks of their own.

use std::io::{Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use offspring_guest::fork;
use offspring_guest::pipe;

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok());
    let count: u32 = count.expect("a number");
    let mut file = std::fs::File::create_new("/dir/file").expect("it is made");
    let listener = TcpListener::bind("127.0.0.1:0").expect("it listens");
    let address = listener.local_addr().expect("it has an address");
    let mut one = TcpStream::connect(address).expect("it connects");
    let (mut other, _) = listener.accept().expect("it connects");
    let mut memory = Vec::new();
    for round in 0..count {
        let byte = round.to_le_bytes()[0];
        memory.push(vec![byte; 1 + (round as usize * 7919) % 100_000]);
        if memory.len() > 20 {
            memory.swap_remove((round as usize * 31) % 20);
        }
        file.rewind().expect("it can be sought");
        file.write_all(&[byte]).expect("it is written");
        let (mut reader, mut writer) = pipe().expect("a pipe");
        let child = fork::spawn(|| {
            memory.push(vec![byte; 50_000]);
            one.write_all(&[byte]).expect("it is read");
            writer.write_all(&[byte, byte]).expect("it is read");
            std::thread::sleep(Duration::from_micros(50));
            match round % 4 {
                0 => {
                    let inner = fork::spawn(|| byte).expect("it forks").wait();
                    u8::try_from(inner.expect("it ends").code().expect("by itself")).unwrap_or(0)
                }
                _ => byte,
            }
        });
        let child = child.expect("it forks");
        let mut heard = [0];
        other.read_exact(&mut heard).expect("it is sent");
        drop(writer);
        let mut all = Vec::new();
        reader.read_to_end(&mut all).expect("all of it");
        let status = child.wait().expect("it ends");
        assert_eq!((status.code(), heard[0], &*all), (Some(byte.into()), byte, &[byte, byte][..]));
    }
}
