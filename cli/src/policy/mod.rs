//! `offspring policy check`: what a policy amounts to, what is dangerous in it, and
//! why it allows a request or not.

mod danger;
mod explain;
mod table;

use std::process::ExitCode;

use offspring::ProcessCtx;
use offspring::policy::Policy;

use crate::args::{CheckArgs, Directory};

/// What a request that is denied exits with, as `test` and `grep` do.
const DENIED: u8 = 1;

/// What an error exits with here, so that it cannot be taken for a denial.
pub const FAILED: u8 = 2;

/// Prints what a policy amounts to, or explains one request.
///
/// # Errors
/// When the policy cannot be used.
pub fn check(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let policy = Policy::load(&args.file)?;
    let mut builder = ProcessCtx::builder().policy(policy);
    for Directory { host, guest, perms } in &args.dir {
        builder = builder.preopened_dir(host, guest, *perms);
    }
    let checked = builder.check()?;
    match explain::request(args)? {
        None => {
            print!("{}", table::report(&args.file, &checked)?);
            Ok(ExitCode::SUCCESS)
        }
        Some(request) => {
            let steps = checked.explain(&request, args.cwd.as_deref());
            print!("{}", explain::report(&request, &steps)?);
            match steps.iter().all(|step| step.allowed) {
                true => Ok(ExitCode::SUCCESS),
                false => Ok(ExitCode::from(DENIED)),
            }
        }
    }
}

/// How wide a page is.
const WIDTH: usize = 80;

/// Writes a text behind a name, in lines that are no wider than a page.
fn entry(page: &mut String, name: &str, text: &str) {
    const INDENT: usize = 15;
    let mut line = format!("  {name:<width$}", width = INDENT - 2);
    let mut column = line.chars().count();
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > INDENT && column + 1 + length > WIDTH {
            page.push_str(line.trim_end());
            page.push('\n');
            line = " ".repeat(INDENT);
            column = INDENT;
        }
        if column > INDENT {
            line.push(' ');
            column += 1;
        }
        line.push_str(word);
        column += length;
    }
    page.push_str(line.trim_end());
    page.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_wider_than_a_page() {
        let mut page = String::new();
        entry(&mut page, "a", &"word ".repeat(40));
        assert!(page.lines().all(|line| line.len() <= WIDTH && line.len() > 60 || line.len() < 60));
        assert!(page.lines().skip(1).all(|line| line.starts_with("               word")), "{page}");
        let mut page = String::new();
        entry(&mut page, "a", &"x".repeat(100));
        assert_eq!(page, format!("  a            {}\n", "x".repeat(100)));
    }
}
