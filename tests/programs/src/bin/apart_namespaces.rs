//! A child in namespaces of its own. The arguments are the host's, as links of
//! `/proc/self/ns`.

use std::io::Read;

use offspring_guest::Stdio;
use test_programs::{sh, text};

const NAMES: &str = "pid mnt net ipc uts cgroup";

fn main() {
    let hosts: Vec<String> = std::env::args().skip(1).collect();
    let script = format!("for name in {NAMES}; do readlink /proc/self/ns/$name; done; echo $$");
    let found = text(&mut sh(&script));
    let mut found: Vec<&str> = found.lines().collect();
    assert_eq!(found.pop(), Some("1"));
    assert_eq!(found.len(), hosts.len());
    for (own, host) in found.iter().zip(&hosts) {
        assert_ne!(own, host);
    }
    // It sees no process but its own, and no network.
    assert_eq!(text(&mut sh("echo /proc/[0-9]*")), "/proc/1\n");
    assert_eq!(text(&mut sh("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '")), "lo\n");

    // A daemon, which has left its group, its session and its parent, ends with the
    // child: the pipe has no other end any more.
    let mut command = sh("setsid sh -c '(exec sleep 100000) &' ; echo up; read -r _");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut out = child.stdout.take().expect("it is piped");
    let mut line = [0; 3];
    out.read_exact(&mut line).expect("a line");
    drop(child.stdin.take());
    child.wait().expect("it ends");
    assert_eq!(out.read(&mut line).expect("its end"), 0);
}
