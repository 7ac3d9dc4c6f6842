//! Sockets from before a fork and from after it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use offspring_guest::fork::{self, Forked};
use test_programs::forked;

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("it listens");
    let address = listener.local_addr().expect("it has an address");
    (listener, address)
}

/// Answers everything with itself.
fn echo(mut stream: TcpStream) {
    let mut bytes = [0; 100];
    loop {
        match stream.read(&mut bytes).expect("it can be read") {
            0 => return,
            read => stream.write_all(&bytes[..read]).expect("it is read"),
        }
    }
}

fn talk(mut stream: TcpStream) {
    for round in 0..20_u8 {
        let said = [round; 50];
        stream.write_all(&said).expect("it is read");
        let mut heard = [0; 50];
        stream.read_exact(&mut heard).expect("it is answered");
        assert_eq!(heard, said);
    }
}

fn main() {
    // The child connects, the parent accepts.
    let (listener, address) = listen();
    match fork::fork().expect("it forks") {
        Forked::Child => return talk(TcpStream::connect(address).expect("it connects")),
        Forked::Parent(child) => {
            echo(listener.accept().expect("it connects").0);
            assert!(child.wait().expect("it ends").success());
        }
    }
    // Both ends are from before, and neither process closes what the other one
    // uses: that would shut the connection down.
    let one = TcpStream::connect(address).expect("it connects");
    let (other, _) = listener.accept().expect("it connects");
    match fork::fork().expect("it forks") {
        Forked::Child => {
            talk(one);
            offspring_guest::exit(0);
        }
        Forked::Parent(child) => {
            echo(other);
            std::mem::forget(one);
            assert!(child.wait().expect("it ends").success());
        }
    }
    // The child listens itself, and has a child that connects.
    forked(|| {
        let (listener, address) = listen();
        match fork::fork().expect("it forks") {
            Forked::Child => talk(TcpStream::connect(address).expect("it connects")),
            Forked::Parent(child) => {
                echo(listener.accept().expect("it connects").0);
                assert!(child.wait().expect("it ends").success());
            }
        }
    });
    let ours = UdpSocket::bind("127.0.0.1:0").expect("it binds");
    let address = ours.local_addr().expect("it has an address");
    forked(|| {
        let theirs = UdpSocket::bind("127.0.0.1:0").expect("it binds");
        assert_eq!(theirs.send_to(b"datagram", address).expect("it is sent"), 8);
    });
    let mut bytes = [0; 20];
    let (length, _) = ours.recv_from(&mut bytes).expect("it comes");
    assert_eq!(&bytes[..length], b"datagram");
}
