//! Writes more than it was permitted, in the way that its first argument
//! names, while a child and a grandchild live.

use offspring_guest::__internal::pipe::{PipeWriter, create};
use test_programs::family;

fn main() {
    let _child = family(|_| ());
    let (_reader, writer) = create().expect("a pipe");
    let stream = PipeWriter::into_stream(writer);
    let permit = usize::try_from(stream.check_write().expect("there is room")).expect("not much");
    match std::env::args().nth(1).as_deref() {
        Some("too-much") => stream.write(&vec![0; permit + 1]),
        // A pipe holds no more than some of these.
        Some("unasked") => (0..1000).try_for_each(|_| stream.write(&vec![0; permit])),
        way => panic!("no such way: {way:?}"),
    }
    .expect("it traps");
}
