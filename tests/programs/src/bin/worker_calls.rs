//! A guest with a host function of its embedder's own, and forks that call it at the
//! same time as their parent does.

use offspring_guest::fork;

mod bindings {
    wit_bindgen::generate!({
        inline: "
            package test:calls;
            world calls {
                /// Answers with a number for the process that asks, and the question.
                import ask: func(question: string) -> tuple<u64, string>;
            }
        ",
    });
}

use bindings::ask;

/// Asks so often, and returns which process the embedder takes this for.
fn asked(name: &str, times: u32) -> u64 {
    let (process, _) = ask("who");
    for number in 0..times {
        let question = format!("{name} {number} {}", "x".repeat(number as usize % 7 * 10_000));
        assert_eq!(ask(&question), (process, question), "the answer to somebody else");
    }
    process
}

fn main() {
    let times = std::env::args().nth(1).and_then(|times| times.parse().ok());
    let times = times.expect("a number");
    let own = asked("parent", 1);
    assert_eq!(own, 0);
    for round in 0..times {
        let children: Vec<_> = (0..3)
            .map(|index| {
                let name = format!("child {round} {index}");
                let child = fork::spawn(|| {
                    let number = asked(&name, 20);
                    let inner = fork::spawn(|| u8::from(asked("inner", 5) <= number));
                    let inner = inner.expect("it forks").wait().expect("it ends");
                    u8::from(number == own || inner.code() != Some(0))
                });
                child.expect("it forks")
            })
            .collect();
        assert_eq!(asked("parent", 20), own);
        for child in children {
            assert_eq!(child.wait().expect("it ends").code(), Some(0));
        }
    }
}
