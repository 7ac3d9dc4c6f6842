//! The component's own end.

use std::io::{self, Write};

/// Ends the component with this code.
///
/// [`std::process::exit`] and a code returned from `main` reach a host of WASI
/// 0.2 only as success or failure: every code but 0 becomes 1.
pub fn exit(code: u8) -> ! {
    // What cannot be written any more is lost in std's way of ending, too.
    let _ = io::stdout().flush();
    #[cfg(target_family = "wasm")]
    wasip2::cli::exit::exit_with_code(code);
    #[expect(clippy::exit, reason = "that is what it is for")]
    std::process::exit(code.into())
}
