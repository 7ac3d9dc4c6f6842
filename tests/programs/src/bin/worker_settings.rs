//! A guest in a worker has what its embedder said, and so has its fork.

use std::env;
use std::fs;

use offspring_guest::Command;
use test_programs::{forked, text};

fn look() {
    assert_eq!(env::args().collect::<Vec<_>>(), ["guest", "one", "a \"b\"\n", ""]);
    let variables: Vec<_> = env::vars().collect();
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    assert_eq!(variables, [("A", "1"), ("B", "x=y z")].map(own));
    assert_eq!(fs::read_to_string("/read/file").expect("it can be read"), "hello");
    fs::write("/read/file", "changed").expect_err("it cannot be written to");
    fs::write("/write/file", "changed").expect("it can be written to");
    fs::read_dir("/").expect_err("nothing else is there");
    let mut cat = Command::new("cat");
    assert_eq!(text(cat.args(["file"]).current_dir("/read")), "hello");
}

fn main() {
    look();
    forked(look);
}
