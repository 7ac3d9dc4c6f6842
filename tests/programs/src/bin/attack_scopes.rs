//! Asks, of a grant that says nothing, for everything that a grant could say.

use std::time::Duration;

use offspring_guest::{
    Command, ExitSignal, FileActions, OpenOptions, Resource, Rlimit, SchedulerPolicy, Signal, Stdio,
};
use test_programs::attack::denied;
use test_programs::cat;

fn main() {
    let ask = |rule: &str, change: &dyn Fn(&mut Command)| {
        let mut command = Command::new("plain");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        change(&mut command);
        denied(rule, "plain", command);
    };
    ask("args", &|command| {
        command.arg("x");
    });
    ask("args", &|command| {
        command.arg("");
    });
    ask("env-allow", &|command| {
        command.env("X", "");
    });
    ask("cwd", &|command| {
        command.current_dir("/dir");
    });
    ask("cwd", &|command| {
        command.current_dir("/dir/../dir");
    });
    for stream in [Stdio::piped, Stdio::inherit] {
        ask("stdio", &|command| {
            command.stdin(stream());
        });
        ask("stdio", &|command| {
            command.stdout(stream());
        });
        ask("stdio", &|command| {
            command.stderr(stream());
        });
    }
    ask("detach", &|command| {
        command.detach(true);
    });
    attributes(&ask);
    actions(&ask);

    // A bare child, and no signal for it but the one that a handle's end is.
    let mut child = cat();
    for signal in [Signal::TERM, Signal::STOP, Signal::HUP, Signal::USR1] {
        child.pidfd().send_signal(signal).expect_err("it is not allowed");
        println!("signal \"cat\" denied policy signals -");
        child.pidfd().send_group_signal(signal).expect_err("it is not allowed");
        println!("signal \"cat\" denied policy signals -");
    }
    child.kill().expect("it always is");
    assert_eq!(child.wait().expect("it ends").signal(), Some(9));
    let mut plain = Command::new("plain");
    plain.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    plain.deadline(Duration::from_secs(60));
    assert!(plain.status().expect("a shorter deadline is anybody's").success());
}

fn attributes(ask: &impl Fn(&str, &dyn Fn(&mut Command))) {
    let chosen: [&dyn Fn(&mut Command); 11] = [
        &|command| {
            command.new_session(true);
        },
        &|command| {
            command.new_process_group();
        },
        &|command| {
            command.signal_mask([Signal::TERM]);
        },
        &|command| {
            command.default_signals([Signal::TERM]);
        },
        &|command| {
            command.reset_ids(true);
        },
        &|command| {
            command.scheduler(SchedulerPolicy::Fifo, 99);
        },
        &|command| {
            command.nice(-20);
        },
        &|command| {
            command.cpu_affinity([0]);
        },
        &|command| {
            command.umask(0);
        },
        &|command| {
            command.rlimit(Resource::Nofile, Rlimit { soft: None, hard: None });
        },
        &|command| {
            command.exit_signal(ExitSignal::None);
        },
    ];
    for change in chosen {
        ask("attributes", change);
    }
}

fn actions(ask: &impl Fn(&str, &dyn Fn(&mut Command))) {
    let add = |add: &dyn Fn(&mut FileActions)| {
        let mut actions = FileActions::new();
        add(&mut actions);
        ask("file-actions", &|command| {
            command.file_actions(&actions);
        });
    };
    let reading = *OpenOptions::new().read(true);
    add(&|actions| {
        actions.open(0, "/dir/file", &reading).expect("it can be added");
    });
    add(&|actions| {
        actions.close(0).expect("it can be added");
    });
    add(&|actions| {
        actions.dup2(3, 1).expect("it can be added");
    });
    add(&|actions| {
        actions.chdir("/dir").expect("it can be added");
    });
    add(&|actions| {
        actions.fchdir(3).expect("it can be added");
    });
    add(&|actions| {
        actions.close_from(0).expect("it can be added");
    });
    ask("file-actions", &|command| {
        let (reader, _) = offspring_guest::pipe().expect("a pipe");
        command.pass(3, reader);
    });
}
