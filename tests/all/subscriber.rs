//! What a host sees of a guest through `tracing`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The fields of a span or an event, by their names; `message` is the text.
pub type Fields = BTreeMap<&'static str, String>;

/// Something that was said.
#[derive(Debug, Clone)]
pub struct Said {
    pub level: Level,
    pub fields: Fields,
    /// The span that it was said in, by its number.
    pub span: Option<u64>,
}

/// Keeps what this project says. Clones keep the same.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub struct State {
    /// The spans, by their numbers less one.
    pub spans: Vec<Fields>,
    pub said: Vec<Said>,
}

thread_local! {
    /// The spans that this thread is in.
    static WITHIN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Seen {
    /// All that was seen since this was asked.
    pub fn take(&self) -> State {
        std::mem::take(&mut self.state())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Seen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("offspring")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields::new();
        span.record(&mut Kept(&mut fields));
        fields.insert("name", span.metadata().name().to_owned());
        fields.insert("level", span.metadata().level().to_string());
        let mut state = self.state();
        state.spans.push(fields);
        Id::from_u64(state.spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::new();
        event.record(&mut Kept(&mut fields));
        let span = WITHIN.with_borrow(|within| within.last().copied());
        self.state().said.push(Said { level: *event.metadata().level(), fields, span });
    }

    fn enter(&self, span: &Id) {
        WITHIN.with_borrow_mut(|within| within.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let left = WITHIN.with_borrow_mut(Vec::pop);
        assert_eq!(left, Some(span.into_u64()));
    }
}

struct Kept<'a>(&'a mut Fields);

impl Visit for Kept<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
