//! A child that is another user than its host. The argument is a file of the
//! host's that only its owner may read.

use offspring_guest::fs::File;
use test_programs::{read, sh, status, text};

fn main() {
    let secret = std::env::args().nth(1).expect("a path");
    for (name, ids) in [("Uid", "65534"), ("Gid", "65533")] {
        let found = status(&mut read("/proc/self/status"), name);
        assert_eq!(found, [ids; 4].join("\t"));
    }
    assert_eq!(status(&mut read("/proc/self/status"), "Groups"), "7 8");
    let found = text(sh("cat \"$1\" 2>/dev/null || echo no").arg(&secret));
    assert_eq!(found, "no\n");
    // What the guest holds it may give.
    let mut command = sh("cat");
    command.pass(0, File::open("/dir/secret").expect("it is the host that opens"));
    assert_eq!(text(&mut command), "secret\n");
}
