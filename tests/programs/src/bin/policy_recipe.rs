//! Does what a recipe is for. `run PROGRAM ARG...` prints what the program prints, or
//! why it was denied; `talk PROGRAM` has a conversation with a server that lives on.

use std::io::{Read, Write};

use offspring_guest::{Command, SpawnError, Stdio};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, program, rest @ ..] = &*arguments else { panic!("what to do") };
    let mut command = Command::new(program);
    if let Ok(directory) = std::env::var("DIRECTORY") {
        command.current_dir(directory);
    }
    match &**mode {
        "run" => run(command.args(rest)),
        _ => talk(&mut command),
    }
}

fn run(command: &mut Command) {
    match command.stdin(Stdio::null()).stderr(Stdio::piped()).output() {
        Ok(output) => {
            print!("{}", String::from_utf8_lossy(&output.stdout));
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            println!("{}", output.status);
        }
        Err(error) => {
            let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<SpawnError>());
            println!("{:?}: {error}", reason.expect("a typed reason").stage);
        }
    }
}

/// Three requests and their answers, as the Language Server Protocol frames them.
fn talk(command: &mut Command) {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = command.spawn().expect("it starts");
    let mut requests = server.stdin.take().expect("it is piped");
    let mut answers = server.stdout.take().expect("it is piped");
    for method in ["initialize", "hover", "shutdown"] {
        let body = format!("{{\"method\":\"{method}\"}}");
        write!(requests, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("it listens");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            answers.read_exact(&mut byte).expect("it answers");
            head.extend(byte);
        }
        let head = String::from_utf8(head).expect("text");
        let length = head.trim().rsplit(' ').next().and_then(|length| length.parse().ok());
        let mut answer = vec![0; length.expect("a length")];
        answers.read_exact(&mut answer).expect("all of it");
        println!("{}", String::from_utf8(answer).expect("text"));
    }
    drop(requests);
    println!("{}", server.wait().expect("it ends"));
}
