//! YAML as a tree in which everything knows its place in the file.

use crate::workflow::{Place, Problem};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// Deeper than any workflow nests, and shallow enough for the stack.
const MAX_DEPTH: usize = 32;

/// A value and where it starts.
#[derive(Debug)]
pub struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Debug)]
pub enum Value {
    /// Text as written; `plain` when it has no quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// Keys are scalars and occur once.
    Map(Vec<(Key, Node)>),
}

#[derive(Debug)]
pub struct Key {
    pub place: Place,
    pub text: String,
}

/// Parses a file of exactly one document.
pub fn parse(text: &str) -> Result<Node, Problem> {
    let mut tree = Tree { parser: Parser::new_from_str(text) };
    let start = Place { line: 1, column: 1 };
    let mut document = None;
    loop {
        match tree.next()? {
            Some((Event::StreamEnd, _)) | None => break,
            Some((Event::DocumentStart(_), span)) if document.is_some() => {
                return Err(
                    place(span).problem("one file holds one workflow: remove this document")
                );
            }
            Some((Event::DocumentStart(_), _)) => document = Some(tree.node(0)?),
            Some(_) => {}
        }
    }
    document.ok_or_else(|| start.problem("the file is empty: a workflow needs `jobs`"))
}

struct Tree<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
}

impl<'a> Tree<'a> {
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, Problem> {
        self.parser.next_event().transpose().map_err(|error| {
            let mark = error.marker();
            let place = Place { line: mark.line(), column: mark.col() + 1 };
            place.problem(format!("not YAML: {}", error.info()))
        })
    }

    /// The event that must follow inside a document.
    fn expect(&mut self) -> Result<(Event<'a>, Span), Problem> {
        let end = Place { line: 1, column: 1 };
        self.next()?.ok_or_else(|| end.problem("not YAML: the file ends too early"))
    }

    fn node(&mut self, depth: usize) -> Result<Node, Problem> {
        let (event, span) = self.expect()?;
        self.node_from(event, span, depth)
    }

    fn node_from(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Problem> {
        let place = place(span);
        if depth > MAX_DEPTH {
            return Err(place.problem("nested too deeply"));
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag.is_some()),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.is_some())
            }
            _ => (0, false),
        };
        if anchor != 0 || matches!(event, Event::Alias(_)) {
            return Err(place.problem("anchors and aliases are not supported: write it out"));
        }
        if tag {
            return Err(place.problem("tags are not supported: leave it out"));
        }
        let value = match event {
            Event::Scalar(text, style, ..) => {
                Value::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }
            }
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            _ => return Err(place.problem("not YAML: a value was expected here")),
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            match self.expect()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node_from(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, span) = self.expect()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(entries));
            }
            let key = self.node_from(event, span, depth + 1)?;
            let Value::Scalar { text, .. } = key.value else {
                return Err(key.place.problem("a key must be a word"));
            };
            if let Some((first, _)) = entries.iter().find(|(known, _)| known.text == text) {
                let line = first.place.line;
                return Err(key.place.problem(format!("`{text}` stands on line {line} already")));
            }
            let value = self.node(depth + 1)?;
            entries.push((Key { place: key.place, text }, value));
        }
    }
}

fn place(span: Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> (usize, usize, String) {
        let Problem { place, message } = parse(text).unwrap_err();
        (place.line, place.column, message)
    }

    #[test]
    fn places_count_from_one() {
        let node = parse("a: 1\nb:\n  - x\n  - 'y'\n").unwrap();
        let Value::Map(entries) = &node.value else { panic!("{node:?}") };
        assert_eq!(entries[1].0.place, Place { line: 2, column: 1 });
        let Value::List(items) = &entries[1].1.value else { panic!("{entries:?}") };
        assert_eq!(items[1].place, Place { line: 4, column: 5 });
        assert!(matches!(&items[1].value, Value::Scalar { text, plain: false } if text == "y"));
    }

    #[test]
    fn what_is_not_a_plain_tree_is_refused() {
        assert_eq!(problem("a: 1\nb: 2\na: 3\n").0, 3);
        assert!(problem("a: &x 1\nb: *x\n").2.contains("anchors"));
        assert!(problem("a: !!str 1\n").2.contains("tags"));
        assert!(problem("a: 1\n---\nb: 1\n").2.contains("one file"));
        assert!(problem("").2.contains("empty"));
        assert!(problem("? [a]\n: 1\n").2.contains("a key must be a word"));
        assert!(problem("a: [1, 2\nb: 3\n").2.starts_with("not YAML"));
        assert!(problem("a:\n\t- 1\n").2.starts_with("not YAML"));
        assert!(problem(&"[".repeat(100)).2.contains("deeply"));
    }
}
