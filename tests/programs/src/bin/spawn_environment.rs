//! A child's environment is what its grant fixes and what the guest may add.

use offspring_guest::Command;
use test_programs::text;

fn main() {
    let path = std::env::args().next_back().expect("the host's PATH");
    assert!(std::env::var("GUEST").is_ok(), "the guest has variables of its own");
    assert_eq!(text(&mut Command::new("empty")), "");

    let mut fixed = Command::new("fixed");
    assert_eq!(text(&mut fixed), format!("FIXED=1\nPATH={path}\n"));
    fixed.env("CHOSEN", "a=b c").env("LC_ALL", "").env("FIXED", "1");
    assert_eq!(text(&mut fixed), format!("CHOSEN=a=b c\nFIXED=1\nLC_ALL=\nPATH={path}\n"));
    fixed.env_remove("CHOSEN");
    assert_eq!(text(&mut fixed), format!("FIXED=1\nLC_ALL=\nPATH={path}\n"));
}
