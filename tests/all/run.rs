//! Running a guest.

use std::path::Path;
use std::time::Duration;

use offspring::policy::{Grant, Part, Policy, Sandbox};
use offspring::{Children, ProcessCtx, ProcessCtxBuilder, ProcessCtxView, ProcessView, fork};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::component::{component, engine, load};
use crate::ended::{Ended, Printed};

/// The data of a test's store.
pub struct State {
    pub table: ResourceTable,
    pub process: ProcessCtx,
    pub wasi: WasiCtx,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl ProcessView for State {
    fn process(&mut self) -> ProcessCtxView<'_> {
        ProcessCtxView { ctx: &mut self.process, table: &mut self.table }
    }
}

/// How a guest is to be run.
pub struct Run {
    component: &'static str,
    process: ProcessCtxBuilder,
    wasi: WasiCtxBuilder,
    output: [MemoryOutputPipe; 2],
    table_capacity: Option<usize>,
    epochs: Option<Duration>,
}

/// A guest that only needs to be started.
pub struct Ready {
    pub store: Store<State>,
    component: Component,
    output: [MemoryOutputPipe; 2],
}

/// The most that a guest may print in a test.
const PRINTED: usize = 1 << 20;

/// An epoch that no test comes to.
const NEVER: u64 = 1 << 60;

/// The exit code of a guest that trapped.
pub const TRAPPED: u8 = 134;

/// Where children find programs.
pub const PATH: &str = "/bin:/usr/bin:/usr/local/bin";

/// A grant of a program that every Linux has: any arguments, every stream.
pub fn grant(name: &str) -> Grant {
    Grant::permissive(name, name).env("PATH", PATH).sandbox(sandbox())
}

/// What tests have that are about something else: a sandbox in which programs
/// start each other, look at themselves, and use the files of the test, on every
/// kernel.
pub fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new().read("/proc").write(std::env::temp_dir());
    let sandbox = Part::ALL.iter().copied().fold(sandbox, Sandbox::best_effort);
    ["/bin", "/usr"].into_iter().fold(sandbox, Sandbox::execute)
}

impl Run {
    /// Starts with nothing granted.
    pub fn new(component: &'static str) -> Run {
        let output = [MemoryOutputPipe::new(PRINTED), MemoryOutputPipe::new(PRINTED)];
        let mut wasi = WasiCtxBuilder::new();
        wasi.arg("guest").stdout(output[0].clone()).stderr(output[1].clone());
        let process = ProcessCtx::builder();
        Run { component, process, wasi, output, table_capacity: None, epochs: None }
    }

    /// Grants programs of these names.
    pub fn allow(mut self, names: &[&str]) -> Run {
        for name in names {
            self.process = self.process.grant(grant(name));
        }
        self
    }

    pub fn grant(mut self, grant: Grant) -> Run {
        self.process = self.process.grant(grant);
        self
    }

    pub fn policy(mut self, policy: Policy) -> Run {
        self.process = self.process.policy(policy);
        self
    }

    /// Reads the policy from the text of a file.
    pub fn policy_file(self, text: &str) -> Run {
        self.policy(Policy::parse("policy.toml", text).unwrap())
    }

    /// Changes what is not for every test.
    pub fn process(mut self, change: impl FnOnce(ProcessCtxBuilder) -> ProcessCtxBuilder) -> Run {
        self.process = change(self.process);
        self
    }

    pub fn args(mut self, args: &[&str]) -> Run {
        self.wasi.args(args);
        self
    }

    /// Sets one of the guest's own variables.
    pub fn env(mut self, name: &str, value: &str) -> Run {
        self.wasi.env(name, value);
        self
    }

    pub fn dir(mut self, host: &Path, guest: &str, perms: FsPerms) -> Run {
        self.wasi.preopened_dir(host, guest, perms).unwrap();
        self.process = self.process.preopened_dir(host, guest, perms);
        self
    }

    /// Limits how many resources the guest may hold.
    pub fn table_capacity(mut self, capacity: usize) -> Run {
        self.table_capacity = Some(capacity);
        self
    }

    /// Changes what else the guest has of WASI.
    pub fn wasi(mut self, change: impl FnOnce(&mut WasiCtxBuilder)) -> Run {
        change(&mut self.wasi);
        self
    }

    /// Counts epochs while the guest forks, so often.
    pub fn epochs(mut self, every: Duration) -> Run {
        self.epochs = Some(every);
        self
    }

    /// Runs a guest that forks, with the streams of this process, and returns
    /// its exit code. Only for a process that has no other thread.
    pub fn forking(self) -> u8 {
        let mut config = Config::new();
        self.forking_with(config.parallel_compilation(false), |_| {})
    }

    /// The same with an engine and a store of its own.
    pub fn forking_with(mut self, config: &Config, change: impl FnOnce(&mut Store<State>)) -> u8 {
        let engine = Engine::new(config).unwrap();
        let component = load(&engine, self.component);
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        offspring::add_to_linker(&mut linker).unwrap();
        fork::configure(self.wasi.inherit_stdout().inherit_stderr()).unwrap();
        let process = self.process.build().unwrap();
        let state = State { table: ResourceTable::new(), process, wasi: self.wasi.build() };
        let mut store = Store::new(&engine, state);
        change(&mut store);
        let mut runtime = fork::Runtime::new().unwrap();
        if let Some(every) = self.epochs {
            runtime = runtime.epochs(&engine, every);
        }
        runtime.run(async {
            use wasmtime_wasi::p2::bindings::Command;
            let command = Command::instantiate_async(&mut store, &component, &linker);
            let command = command.await.unwrap();
            // As `offspring run` does.
            fork::prefer_huge_pages().unwrap();
            match command.wasi_cli_run().call_run(&mut store).await {
                Ok(Ok(())) => 0,
                Ok(Err(())) => 1,
                Err(error) => match error.downcast_ref::<I32Exit>() {
                    Some(exit) => exit.0.to_le_bytes()[0],
                    None => TRAPPED,
                },
            }
        })
    }

    /// What the guest will print.
    pub fn stdout(&self) -> Printed {
        Printed(self.output[0].clone())
    }

    /// Opens what is granted.
    pub fn ready(mut self) -> Ready {
        let mut table = ResourceTable::new();
        if let Some(capacity) = self.table_capacity {
            table.set_max_capacity(capacity);
        }
        let process = self.process.build().unwrap();
        let state = State { table, process, wasi: self.wasi.build() };
        let mut store = Store::new(engine(), state);
        store.set_epoch_deadline(NEVER);
        Ready { store, component: component(self.component), output: self.output }
    }

    /// Runs the guest in a synchronous embedder.
    pub fn sync(self) -> Ended {
        self.ready().sync()
    }

    /// Runs the guest in an asynchronous embedder.
    pub fn r#async(self) -> impl Future<Output = Ended> + Send + 'static {
        self.ready().r#async()
    }
}

impl Ready {
    /// What the guest starts.
    pub fn children(&self) -> Children {
        self.store.data().process.children()
    }

    /// What the guest prints.
    pub fn stdout(&self) -> Printed {
        Printed(self.output[0].clone())
    }

    pub fn sync(self) -> Ended {
        let mut linker = Linker::<State>::new(engine());
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
        offspring::add_to_linker(&mut linker).unwrap();
        self.sync_linked(&linker)
    }

    /// Runs the guest with what a host linked.
    pub fn sync_linked(mut self, linker: &Linker<State>) -> Ended {
        let mut run = || {
            use wasmtime_wasi::p2::bindings::sync::Command;
            let command = Command::instantiate(&mut self.store, &self.component, linker)?;
            command.wasi_cli_run().call_run(&mut self.store)
        };
        let result = run();
        drop(self.store);
        Ended::new(result, self.output)
    }

    pub async fn r#async(mut self) -> Ended {
        let mut linker = Linker::<State>::new(engine());
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        offspring::add_to_linker_async(&mut linker).unwrap();
        let run = async {
            use wasmtime_wasi::p2::bindings::Command;
            let store = &mut self.store;
            let command = Command::instantiate_async(&mut *store, &self.component, &linker).await?;
            command.wasi_cli_run().call_run(store).await
        };
        let result = run.await;
        drop(self.store);
        Ended::new(result, self.output)
    }
}
