//! `output` reads both pipes as they come, however full each of them gets.

use test_programs::sh;

const SIZE: usize = 3_000_000;

fn main() {
    let out = format!("head -c {SIZE} /dev/zero");
    let err = format!("head -c {SIZE} /dev/zero >&2");
    for script in [format!("{out}; {err}"), format!("{err}; {out}"), format!("{out} & {err}; wait")]
    {
        let output = sh(&script).output().expect("it starts");
        assert!(output.status.success(), "{script}");
        assert_eq!((output.stdout.len(), output.stderr.len()), (SIZE, SIZE), "{script}");
    }
    // One that is closed early does not keep the other from being read.
    let output = sh(&format!("exec 2>&-; {out}")).output().expect("it starts");
    assert_eq!((output.stdout.len(), output.stderr.len()), (SIZE, 0));
}
