//! Links the tool so that what it runs can fork quickly.

/// Nothing else is in the huge pages of the program's code and constants, so that
/// forks can move all of it.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-bins=-Wl,-z,max-page-size=2097152");
}
