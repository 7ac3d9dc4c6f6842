//! Workers: processes in which the guests of an embedder with threads can fork.
//!
//! A process with threads cannot be copied so that the copy works, and a host
//! that runs guests usually has some. So each guest that may fork gets a process
//! of one thread, a [`Worker`]: a program that is executed for it
//! ([`Launcher::start`]), or a copy of one that was prepared before, a [`Zygote`].
//! The program is the embedder's own, which calls [`worker_main`] first of all, or
//! another one that does.
//!
//! What the worker is to do it gets as a [`Job`]: the [`Settings`] of its guest, which
//! are its policy, arguments, environment and directories; bytes in a form of the
//! embedder's own; and descriptors, such as a compiled component's. What only the
//! embedder has it asks for over its [`Channel`]; each fork has one of its own.
//!
//! ```no_run
//! use offspring::fork::{self, Call, Job, Launcher};
//! # use std::io::{Error, Result};
//!
//! fn main() -> Result<()> {
//!     fork::worker_main(|setup| {
//!         // Once: the engine, the component and the linker.
//!         let name = String::from_utf8(setup.bytes).map_err(|_| "a name")?;
//!         Ok::<_, &str>(move |work: fork::Work| {
//!             // For each worker: the store, and the guest in `fork::Runtime::run`.
//!             let answer = work.channel.call(name.as_bytes()).unwrap_or_default();
//!             u8::from(answer != b"hello")
//!         })
//!     });
//!     // From here on with threads.
//!     # fn embed() -> Result<()> {
//!     let runtime = tokio::runtime::Runtime::new()?;
//!     # Ok(()) }
//!     # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//!     runtime.block_on(async {
//!         let launcher = Launcher::this_program().map_err(Error::other)?.setup("world");
//!         let zygote = launcher.zygote().await.map_err(Error::other)?;
//!         let job = Job::new("").answer(|call: Call| async move { b"hello".to_vec() });
//!         let worker = zygote.start(job).await.map_err(Error::other)?;
//!         println!("it ended with {}", worker.wait().await?.status);
//!         Ok(())
//!     })
//! }
//! ```

mod answer;
mod channel;
mod connection;
mod entry;
mod error;
mod handle;
mod job;
mod launcher;
mod message;
mod settings;
mod zygote;

pub use answer::{Answer, Call};
pub use channel::Channel;
pub(super) use channel::Fresh;
pub use entry::worker_main;
pub use error::StartError;
pub use handle::Worker;
pub use job::{Job, Setup, Work};
pub use launcher::Launcher;
pub use settings::{Settings, SettingsError};
pub use zygote::Zygote;
