//! Why a policy allows one request or not.

use std::fmt::{self, Write};

use anyhow::Context;
use offspring::policy::{StdioKinds, Step};
use offspring::request::{Request, StdioKind};

use super::entry;
use crate::args::{CheckArgs, Variable};

/// The request of the command line, if there is one.
///
/// # Errors
/// When options describe a request and there is none, or a word has no meaning.
pub fn request(args: &CheckArgs) -> anyhow::Result<Option<Request>> {
    let stdio = |word: &Option<String>| match word {
        None => Ok(StdioKind::Null),
        Some(word) => StdioKinds::kind(word).with_context(|| {
            format!("a stream is null, inherit, piped, file or terminal, not {word}")
        }),
    };
    let Some((program, arguments)) = args.explain.split_first() else {
        anyhow::ensure!(
            args.env.is_empty() && args.cwd.is_none() && !args.detach && args.group.is_none(),
            "--env, --cwd, --detach and --group describe a request, which --explain asks about"
        );
        return Ok(None);
    };
    let (stdin, stdout, stderr) = (stdio(&args.stdin)?, stdio(&args.stdout)?, stdio(&args.stderr)?);
    let variable = |Variable { name, value }: &Variable| Some((name.clone(), value.clone()?));
    Ok(Some(Request {
        program: program.clone(),
        args: arguments.to_vec(),
        env: args.env.iter().filter_map(variable).collect(),
        cwd: args.cwd.is_some(),
        stdin,
        stdout,
        stderr,
        terminal: [stdin, stdout, stderr].contains(&StdioKind::Terminal),
        detach: args.detach,
        group: args.group.clone(),
        ..Request::default()
    }))
}

/// What each rule says, and what comes of it.
pub fn report(request: &Request, steps: &[Step]) -> Result<String, fmt::Error> {
    let mut page = String::new();
    for step in steps {
        let verdict = if step.allowed { "yes:" } else { "NO:" };
        entry(&mut page, step.rule, &format!("{verdict} {}", step.why));
        for part in &step.parts {
            entry(&mut page, "", part);
        }
    }
    let program = &request.program;
    match steps.iter().find(|step| !step.allowed) {
        None => writeln!(page, "allowed: {program} would be started")?,
        Some(step) => writeln!(page, "denied by `{}`", step.rule)?,
    }
    Ok(page)
}
