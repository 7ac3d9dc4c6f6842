//! Either direction ends by itself, and the other goes on.

use std::io::{Read, Write};

use offspring_guest::Stdio;
use test_programs::{cat, line, sh};

fn main() {
    let mut child = cat();
    let mut stdin = child.stdin.take().expect("it is piped");
    let stdout = child.stdout.as_mut().expect("it is piped");
    for word in ["one", "two"] {
        writeln!(stdin, "{word}").expect("it is read");
        assert_eq!(line(stdout), word);
    }
    write!(stdin, "three").expect("it is read");
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "three");
    assert_eq!(stdout.read(&mut [0; 8]).expect("the end, again"), 0);
    assert!(child.wait().expect("it ends").success());

    let mut script = sh("exec >&-; read word; test \"$word\" = late");
    let script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = script.spawn().expect("it starts");
    let stdout = child.stdout.as_mut().expect("it is piped");
    assert_eq!(stdout.read(&mut [0; 8]).expect("the end"), 0);
    assert_eq!(child.try_wait().expect("it can be asked"), None, "it waits for its input");
    writeln!(child.stdin.as_mut().expect("it is piped"), "late").expect("it is read");
    assert!(child.wait().expect("it ends").success());
}
