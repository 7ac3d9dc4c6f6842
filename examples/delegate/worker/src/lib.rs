//! Does its work with the tool that it is handed. It imports nothing that could
//! start another one: the list of its imports shows it.

mod bindings {
    #![allow(missing_docs, reason = "generated code")]

    wit_bindgen::generate!({
        path: ["../../../wit", "../wit"],
        world: "example:delegate/worker",
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

use bindings::exports::example::delegate::work::{Grant, Guest};
use offspring_guest::{Command, GrantHandle, Stdio};

/// The component.
struct Worker;

impl Guest for Worker {
    fn run(tool: Grant, argument: String) -> Result<String, String> {
        let mut command = Command::from_grant(&GrantHandle::from(tool));
        let output = command.arg(argument).stderr(Stdio::null()).output();
        let output = output.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

bindings::export!(Worker with_types_in bindings);
