//! The README shows what the examples are.

const README: &str = include_str!("../../README.md");

#[track_caller]
fn is_shown(language: &str, code: &str) {
    // The examples' own first lines say what they are; the README does so in
    // its text.
    let body = code.lines().skip_while(|line| line.starts_with("//!") || line.is_empty());
    let body = body.collect::<Vec<_>>().join("\n");
    let block = format!("```{language}\n{body}\n```");
    assert!(README.contains(&block), "the README does not show:\n{block}");
}

#[test]
fn the_guest() {
    is_shown("rust", include_str!("../../examples/hello/src/main.rs"));
}

#[test]
fn the_host() {
    is_shown("rust", include_str!("../../examples/embed/src/main.rs"));
}
