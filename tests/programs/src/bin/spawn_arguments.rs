//! Arguments arrive as they are, and as many as there are.

use test_programs::{sh, text};

fn main() {
    let odd = ["", "two words", "ünïcödé 日本 🦀", "line\nbreak", "-n", "$HOME *", "'\"\\", ""];
    let shown: String = odd.iter().map(|arg| format!("<{arg}>")).collect();
    assert_eq!(text(sh("printf '<%s>' \"$@\"").args(odd)), shown);

    let many: Vec<String> = (1..=10_000).map(|number| number.to_string()).collect();
    assert_eq!(text(sh("echo $# $1 ${10000}").args(&many)), "10000 1 10000\n");
}
