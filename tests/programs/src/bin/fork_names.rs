//! Resolving names, which the host does on a thread, before a fork and after it.

use std::net::ToSocketAddrs;

use test_programs::forked;

fn look() {
    let mut found = ("localhost", 80).to_socket_addrs().expect("every host has that one");
    assert!(found.any(|address| address.ip().is_loopback()));
}

fn main() {
    look();
    forked(|| {
        look();
        forked(look);
    });
    forked(look);
    look();
}
