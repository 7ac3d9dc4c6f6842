//! What became of a guest.

use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

/// What a guest prints, also while it runs.
#[derive(Clone)]
pub struct Printed(pub MemoryOutputPipe);

/// What became of a guest.
#[derive(Debug)]
pub struct Ended {
    pub result: wasmtime::Result<Result<(), ()>>,
    pub stdout: String,
    pub stderr: String,
}

impl Printed {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.contents()).into_owned()
    }
}

impl Ended {
    pub fn new(result: wasmtime::Result<Result<(), ()>>, output: [MemoryOutputPipe; 2]) -> Ended {
        let [stdout, stderr] = output.map(|pipe| Printed(pipe).text());
        Ended { result, stdout, stderr }
    }

    /// The guest's exit code; `None` when it trapped.
    pub fn code(&self) -> Option<i32> {
        match &self.result {
            Ok(Ok(())) => Some(0),
            Ok(Err(())) => Some(1),
            Err(error) => error.downcast_ref::<I32Exit>().map(|exit| exit.0),
        }
    }

    /// Fails unless the guest ended well, and shows what it said.
    #[track_caller]
    pub fn success(self) -> Ended {
        let Ended { result, stdout, stderr } = &self;
        assert_eq!(self.code(), Some(0), "{result:?}\nstdout: {stdout}\nstderr: {stderr}");
        self
    }

    /// Fails unless the guest trapped.
    #[track_caller]
    pub fn trapped(self) -> Ended {
        let Ended { result, stdout, stderr } = &self;
        assert_eq!(self.code(), None, "{result:?}\nstdout: {stdout}\nstderr: {stderr}");
        self
    }
}
