//! What a guest says in one call: a program, its arguments and its streams, and nothing
//! else.

use crate::request::{Request, StdioKind, name};

/// A request of which all else is the default.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    /// Input, output and error.
    pub(crate) streams: [StdioKind; 3],
}

impl Plain {
    pub(crate) fn new(program: String, args: Vec<String>, streams: [StdioKind; 3]) -> Plain {
        Plain { program: name(program), args, streams }
    }

    pub(crate) fn request(&self) -> Request {
        let (program, args) = (self.program.clone(), self.args.clone());
        let [stdin, stdout, stderr] = self.streams;
        Request { program, args, stdin, stdout, stderr, ..Request::default() }
    }

    /// Whether this is all of a request.
    pub(crate) fn is_all_of(request: &Request) -> bool {
        let Request { program, args, stdin, stdout, stderr, .. } = request.clone();
        *request == Plain { program, args, streams: [stdin, stdout, stderr] }.request()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_more_to_it() {
        let streams = [StdioKind::Null, StdioKind::Piped, StdioKind::Inherit];
        let plain = Plain::new("git".into(), vec!["log".into()], streams).request();
        assert!(Plain::is_all_of(&plain));
        let more = [
            Request { env: vec![("A".into(), "1".into())], ..plain.clone() },
            Request { detach: true, ..plain.clone() },
            Request { group: Some("build".into()), ..plain },
        ];
        assert!(!more.iter().any(Plain::is_all_of));
    }
}
