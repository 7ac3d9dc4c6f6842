//! Whole files, right and wrong.

use super::parse;
use crate::workflow::{Action, Problem, Workflow};
use std::time::Duration;

const WHOLE: &str = r#"
name: everything
on: { push: { branches: [main] }, pull_request: }
permissions: { contents: read }
env: { A: file, B: file, C: file }
defaults: { run: { working-directory: sub } }
jobs:
  one:
    runs-on: [self-hosted, linux]
    timeout-minutes: 2
    env: { B: job, C: job }
    steps:
      - uses: actions/checkout@v4
        with: { fetch-depth: 0 }
      - id: list
        run: |
          git ls-files
          true
        env: { C: 7, D: }
      - name: count
        stdin: ${{ steps.list.stdout }}
        shell: none
        run: wc -l 'a b'
        working-directory: .
        timeout-minutes: 0.01
        continue-on-error: true
  two:
    name: Second
    needs: one
    continue-on-error: true
    defaults: { run: { shell: bash } }
    steps: [{ run: echo }]
  three:
    needs: [one, two]
    steps: [{ run: "true" }]
"#;

#[test]
fn everything_is_resolved() {
    let Workflow { jobs } = parse(WHOLE).unwrap();
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["one", "Second", "three"]);
    assert_eq!(jobs[2].needs, [0, 1]);
    assert_eq!(jobs[0].timeout, Some(Duration::from_secs(120)));
    assert!(jobs[1].continue_on_error);

    let [checkout, list, count] = jobs[0].steps.as_slice() else { panic!("{jobs:?}") };
    assert_eq!(checkout.action, Action::Checkout);
    assert_eq!((list.name.as_str(), list.script.as_str()), ("list", "git ls-files …"));
    assert_eq!(list.action, run("sh", &["-e", "-c", "git ls-files\ntrue\n"]));
    assert_eq!(list.directory.as_deref(), Some("sub"));
    let env = list.env.iter().map(|(key, value)| format!("{key}={value}"));
    assert_eq!(env.collect::<Vec<_>>(), ["A=file", "B=job", "C=7", "D="]);
    assert_eq!(count.action, run("wc", &["-l", "a b"]));
    assert!(count.piped && count.continue_on_error && !list.piped);
    assert_eq!(count.timeout, Some(Duration::from_millis(600)));
    assert_eq!(count.directory.as_deref(), Some("."));
    assert!(jobs[0].feeds_next(1) && !jobs[0].feeds_next(2));
    assert_eq!((jobs[0].pipeline_end(0), jobs[0].pipeline_end(1)), (1, 3));
    let Action::Run { program, args } = &jobs[1].steps[0].action else { panic!("{jobs:?}") };
    assert_eq!((program.as_str(), args.last().unwrap().as_str()), ("bash", "echo"));
}

fn run(program: &str, args: &[&str]) -> Action {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    Action::Run { program: program.to_owned(), args }
}

/// Each file, and where and how it is wrong.
const WRONG: &[(&str, usize, usize, &str)] = &[
    ("- a", 1, 1, "keys with values"),
    ("name: x", 1, 1, "needs `jobs`"),
    ("jobs: {}", 1, 7, "is empty"),
    ("jobs: []", 1, 7, "keys with values"),
    ("job: {}", 1, 1, "no key `job`: did you mean `jobs`?"),
    ("jobs:\n  1a: {}", 2, 3, "not an id"),
    ("jobs:\n  a: {}", 2, 6, "the job `a` has no `steps`"),
    ("jobs:\n  a:\n    steps: []", 3, 12, "`steps` is empty"),
    ("jobs:\n  a:\n    strategy: {}", 3, 5, "one job for each case"),
    ("jobs:\n  a:\n    step: []", 3, 5, "did you mean `steps`?"),
    ("env: { A: ${{ x }} }", 1, 12, "not YAML"),
    ("env: { A: \"${{ x }}\" }", 1, 11, "expressions"),
    ("env: { A: [1] }", 1, 11, "must be text"),
    ("env: { A=B: 1 }", 1, 8, "cannot name a variable"),
    ("jobs:\n  a: { needs: b, steps: [{ run: x }] }", 2, 15, "no job `b`"),
    ("jobs:\n  build: { needs: biuld, steps: [{ run: x }] }", 2, 19, "did you mean `build`?"),
];

const WRONG_STEPS: &[(&str, usize, usize, &str)] = &[
    ("{}", 4, 9, "needs `run`"),
    ("{ run: }", 4, 14, "has no value"),
    ("{ run: x, if: always() }", 4, 19, "not supported in a step"),
    ("{ rnu: x }", 4, 11, "did you mean `run`?"),
    ("{ run: x, timeout-minutes: -1 }", 4, 36, "above 0, not `-1`"),
    ("{ run: x, timeout-minutes: 1e99 }", 4, 36, "above 0"),
    ("{ run: x, continue-on-error: yes }", 4, 38, "`true` or `false`, not `yes`"),
    ("{ run: x, shell: bahs }", 4, 26, "did you mean `bash`?"),
    ("{ run: 'a | b', shell: none }", 4, 16, "`|` needs a shell"),
    ("{ run: '# a', shell: none }", 4, 16, "no program"),
    ("{ run: 'echo ${{ github.sha }}' }", 4, 16, "expressions"),
    ("{ uses: actions/cache@v4 }", 4, 17, "cannot run here"),
    ("{ uses: actions/checkout@v4, run: x }", 4, 17, "either `run` or `uses`"),
    ("{ run: x, stdin: out }", 4, 26, "`stdin` is `steps.ID.stdout`"),
    ("{ run: x, stdin: steps.a.stdout }", 4, 26, "no earlier step with the id `a`"),
    ("{ id: a, run: x, stdin: steps.a.stdout }", 4, 33, "no earlier step"),
];

#[test]
fn mistakes_are_told_with_their_place() {
    let wrong =
        WRONG.iter().map(|&(text, line, column, words)| (text.to_owned(), line, column, words));
    let steps = WRONG_STEPS.iter().map(|&(step, line, column, words)| {
        (format!("jobs:\n  a:\n    steps:\n      - {step}"), line, column, words)
    });
    for (text, line, column, words) in wrong.chain(steps) {
        let Problem { place, message } = parse(&text).expect_err(&text);
        assert!(message.contains(words), "{text}\n{message}");
        assert_eq!((place.line, place.column), (line, column), "{text}\n{message}");
    }
}

#[test]
fn jobs_do_not_need_each_other() {
    let job =
        |id: &str, needs: &str| format!("  {id}: {{ needs: [{needs}], steps: [{{ run: x }}] }}\n");
    let text = format!("jobs:\n{}{}{}", job("a", "b"), job("b", "c"), job("c", "b"));
    let Problem { place, message } = parse(&text).unwrap_err();
    assert_eq!(message, "these jobs need each other: b → c → b");
    assert_eq!((place.line, place.column), (3, 16));
}

#[test]
fn a_step_reads_from_the_one_right_before_it() {
    let text = |steps: &str| format!("jobs:\n  a:\n    steps:\n{steps}");
    let first = "      - { id: a, run: x }\n";
    let reader = "      - { id: b, run: x, stdin: steps.a.stdout }\n";
    assert!(parse(&text(&format!("{first}{reader}"))).is_ok());
    let apart = text(&format!("{first}      - run: y\n{reader}"));
    assert!(parse(&apart).unwrap_err().message.contains("right before it, and `a` is not"));
    let twice = text(&format!("{first}{first}"));
    assert!(parse(&twice).unwrap_err().message.contains("has the id `a`"));
    let nothing = text(&format!("      - {{ id: a, uses: actions/checkout@v4 }}\n{reader}"));
    assert!(parse(&nothing).unwrap_err().message.contains("writes nothing"));
}
