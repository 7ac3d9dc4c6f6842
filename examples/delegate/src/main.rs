//! Has another component do the work, and hands it no more than that takes.

mod bindings {
    #![allow(missing_docs, reason = "generated code")]

    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "example:delegate/delegate",
        with: {
            "offspring:process/types@0.2.0": offspring_guest::__internal::types,
            "offspring:process/cgroup@0.2.0": offspring_guest::__internal::cgroup,
            "offspring:process/grant@0.2.0": offspring_guest::__internal::grant,
            "wasi:clocks/monotonic-clock@0.2.12": offspring_guest::__internal::wasip2::clocks::monotonic_clock,
            "wasi:io/poll@0.2.12": offspring_guest::__internal::wasip2::io::poll,
        },
        generate_all,
    });
}

use bindings::example::delegate::work;
use offspring_guest::GrantHandle;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Of `echo` with any arguments, one argument of two, and not for long.
    let rules = "args = [{ one-of = ['hello', 'bye'] }]\ndeadline = '5s'\nmax-children = 1";
    for argument in ["hello", "--version"] {
        let narrow = GrantHandle::open("echo").narrow(rules)?;
        let tool = narrow.into_host().ok_or("nobody else has it")?;
        match work::run(tool, argument) {
            Ok(text) => print!("worker: {text}"),
            Err(why) => println!("refused: {why}"),
        }
    }
    Ok(())
}
