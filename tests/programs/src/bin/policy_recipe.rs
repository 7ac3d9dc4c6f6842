//! Does what a recipe is for. `run PROGRAM ARG...` prints what the program prints, or
//! why it was denied; `talk PROGRAM` has a conversation with a server that lives on, and
//! `edit PROGRAM` one about `/src/a.c`.

use std::io::{Read, Write};
use std::{fs, iter};

use offspring_guest::{Child, Command, PipeReader, PipeWriter, SpawnError, Stdio};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, program, rest @ ..] = &*arguments else { panic!("what to do") };
    let mut command = Command::new(program);
    if let Ok(directory) = std::env::var("DIRECTORY") {
        command.current_dir(directory);
    }
    match &**mode {
        "run" => run(command.args(rest)),
        "talk" => talk(Server::start(&mut command)),
        _ => edit(Server::start(&mut command)),
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

/// A server, as the Language Server Protocol frames what is said.
struct Server {
    child: Child,
    requests: PipeWriter,
    answers: PipeReader,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let requests = child.stdin.take().expect("it is piped");
        let answers = child.stdout.take().expect("it is piped");
        Self { child, requests, answers }
    }

    fn say(&mut self, body: &str) {
        write!(self.requests, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("it listens");
    }

    fn hear(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.answers.read_exact(&mut byte).expect("it answers");
            head.extend(byte);
        }
        let head = String::from_utf8(head).expect("text");
        let length = head.trim().rsplit(' ').next().and_then(|length| length.parse().ok());
        let mut answer = vec![0; length.expect("a length")];
        self.answers.read_exact(&mut answer).expect("all of it");
        String::from_utf8(answer).expect("text")
    }

    /// Prints the first answer that has this in it.
    fn print(&mut self, sign: &str) {
        let answer = iter::repeat_with(|| self.hear()).find(|answer| answer.contains(sign));
        println!("{}", answer.expect("there is one"));
    }

    fn end(mut self) {
        drop(self.requests);
        println!("{}", self.child.wait().expect("it ends"));
    }
}

/// Three requests and their answers.
fn talk(mut server: Server) {
    for method in ["initialize", "hover", "shutdown"] {
        server.say(&format!("{{\"method\":\"{method}\"}}"));
        println!("{}", server.hear());
    }
    server.end();
}

/// What an editor does with `/src/a.c`: opens it, shows what is wrong with it, and what
/// is known of `answer`.
fn edit(mut server: Server) {
    let text = fs::read_to_string("/src/a.c").expect("it is there");
    let mut lines = text.lines().enumerate();
    let place = lines.find_map(|(line, text)| Some((line, text.find("answer(")?)));
    let (line, character) = place.expect("it is used");
    let file = "\"textDocument\":{\"uri\":\"file:///src/a.c\"";
    let notify = |method: &str, params: &str| {
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{params}}}")
    };
    let ask = |id, method: &str, params: &str| {
        notify(method, params).replacen(',', &format!(",\"id\":{id},"), 1)
    };
    let capabilities = "{\"processId\":null,\"rootUri\":\"file:///src\",\"capabilities\":{}}";
    server.say(&ask(1, "initialize", capabilities));
    while !server.hear().contains("\"id\":1") {}
    server.say(&notify("initialized", "{}"));
    let opened = format!("{{{file},\"languageId\":\"c\",\"version\":1,\"text\":{text:?}}}}}");
    server.say(&notify("textDocument/didOpen", &opened));
    server.print("textDocument/publishDiagnostics");
    let position = format!("\"position\":{{\"line\":{line},\"character\":{character}}}");
    server.say(&ask(2, "textDocument/hover", &format!("{{{file}}},{position}}}")));
    server.print("\"id\":2");
    server.say(&ask(3, "shutdown", "null"));
    while !server.hear().contains("\"id\":3") {}
    server.say(&notify("exit", "null"));
    server.end();
}
