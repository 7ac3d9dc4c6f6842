//! Exit codes and signals come back as they were.

use test_programs::sh;

fn main() {
    for code in [0, 1, 7, 126, 127, 255] {
        let status = sh(&format!("exit {code}")).output().expect("it starts").status;
        assert_eq!((status.code(), status.signal()), (Some(code), None));
        assert_eq!(status.success(), code == 0);
        assert!(!status.core_dumped() && !status.lost() && status.cause().is_none());
    }
    // The last is a real-time signal, which has no name.
    for signal in [1, 2, 9, 10, 13, 15, 40] {
        let status = sh(&format!("kill -{signal} $$")).output().expect("it starts").status;
        assert_eq!((status.code(), status.signal()), (None, Some(signal)));
        assert!(!status.success() && !status.core_dumped());
        assert_eq!(status.cause(), None, "nobody killed it by its handle");
    }
    // Whether a core is dumped is the machine's to decide: a shell says so of
    // the same child.
    let abort = "ulimit -c unlimited 2>/dev/null; kill -ABRT $$";
    let status = sh(abort).current_dir("/dir").output().expect("it starts").status;
    let mut shell = sh("sh -c \"$1\"; exit 0");
    let says = shell.arg(abort).current_dir("/dir").output().expect("it starts");
    let says = String::from_utf8_lossy(&says.stderr).into_owned();
    assert_eq!(status.signal(), Some(6));
    assert_eq!(status.core_dumped(), says.contains("core dumped"), "{says}");
}
