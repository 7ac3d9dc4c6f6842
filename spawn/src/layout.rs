//! Which number every descriptor has in the child, decided before there is a
//! child.
//!
//! What the child has starts with its standard streams and what was passed to
//! it. What it needs besides, such as its program, is hidden: it sits at
//! numbers that no action names, so that no action can use, close or replace
//! it, and every number that an action does name means what the caller thinks
//! it means.

use std::os::fd::RawFd;

use smallvec::{SmallVec, smallvec};

use crate::stdio::FIRST_OTHER;

/// Numbers, as many as a child commonly has without any memory of the heap.
pub(crate) type Numbers = SmallVec<[RawFd; 8]>;

/// From which number to which.
pub(crate) type Pairs = SmallVec<[(RawFd, RawFd); 6]>;

/// What a child needs, by the parent's numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// What it starts with: the parent's number and its own. Of two with the
    /// same number of its own the later one counts.
    pub(crate) places: Pairs,
    /// What it needs until it executes its program.
    pub(crate) hidden: Numbers,
    /// Scripts, which stay open for their interpreters.
    pub(crate) scripts: Numbers,
    /// The numbers that its file actions name.
    pub(crate) named: Numbers,
    /// Whether [`Layout::hidden`] and [`Layout::kept`] are asked for.
    pub(crate) listed: bool,
}

/// How the child brings its descriptors into order.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Layout {
    /// First: what is in the way goes elsewhere, to be closed at exec.
    pub(crate) moves: Pairs,
    /// Second: what the child starts with is put in place.
    pub(crate) places: Pairs,
    /// What no action may touch, in ascending order. Empty if it was not asked for.
    pub(crate) hidden: Numbers,
    /// All that is not closed third, in ascending order. Likewise.
    pub(crate) kept: Numbers,
    /// Where the scripts are, in their order: the lowest numbers behind the
    /// standard streams that nothing else has or names.
    pub(crate) scripts: Numbers,
}

impl Wanted {
    /// Whether everything stays where it is until the child has what it starts with.
    fn is_simple(&self) -> bool {
        let is_reserved = |fd: RawFd| {
            self.places.iter().any(|(_, number)| *number == fd) || self.named.contains(&fd)
        };
        !self.listed
            && self.scripts.is_empty()
            && !self.places.iter().any(|(source, _)| is_reserved(*source))
            && !self.hidden.iter().any(|fd| is_reserved(*fd))
    }
}

impl Layout {
    pub(crate) fn new(wanted: &Wanted) -> Layout {
        // By their numbers; of two the later one.
        let mut places = Pairs::new();
        for (source, number) in &wanted.places {
            match places.binary_search_by_key(number, |(_, number)| *number) {
                Ok(index) => places[index].0 = *source,
                Err(index) => places.insert(index, (*source, *number)),
            }
        }
        if wanted.is_simple() {
            return Layout { places, ..Layout::default() };
        }
        let numbers = places.iter().map(|(_, number)| *number);
        let mut reserved = sorted(numbers.chain(wanted.named.iter().copied()));
        let scripts: Numbers = wanted
            .scripts
            .iter()
            .map(|source| {
                let number = lowest(&reserved, FIRST_OTHER);
                insert(&mut reserved, number);
                let index = places.partition_point(|(_, other)| *other < number);
                places.insert(index, (*source, number));
                number
            })
            .collect();

        // What is needed and sits at a number that is not its own goes to one
        // that nothing has.
        let needed = places.iter().map(|(source, _)| *source);
        let sources = sorted(needed.chain(wanted.hidden.iter().copied()));
        let in_the_way = |source: &&RawFd| reserved.binary_search(source).is_ok();
        let mut moves = Pairs::new();
        if sources.iter().any(|source| in_the_way(&source)) {
            let mut used = sorted(reserved.iter().chain(&sources).copied());
            for source in sources.iter().filter(in_the_way) {
                let free = lowest(&used, FIRST_OTHER);
                insert(&mut used, free);
                moves.push((*source, free));
            }
        }

        for (source, _) in &mut places {
            *source = find(&moves, *source);
        }
        let now = wanted.hidden.iter().map(|source| find(&moves, *source));
        let hidden = sorted(now.chain(scripts.iter().copied()));
        let kept = sorted(hidden.iter().copied().chain(places.iter().map(|(_, number)| *number)));
        Layout { moves, places, hidden, kept, scripts }
    }

    /// The same of three streams where nothing else has a number that was chosen, if all
    /// stays where it is until they are in place: most spawns have no more.
    pub(crate) fn of_streams(streams: [RawFd; 3], hidden: &[Option<RawFd>]) -> Option<Layout> {
        let is_free = |fd: RawFd| fd >= FIRST_OTHER;
        let all =
            streams.into_iter().all(is_free) && hidden.iter().flatten().all(|fd| is_free(*fd));
        let [stdin, stdout, stderr] = streams;
        let places = || smallvec![(stdin, 0), (stdout, 1), (stderr, 2)];
        all.then(|| Layout { places: places(), ..Layout::default() })
    }

    /// Where a hidden descriptor of the parent's is in the child.
    pub(crate) fn find(&self, source: RawFd) -> RawFd {
        find(&self.moves, source)
    }
}

/// Where a source is after the moves.
fn find(moves: &[(RawFd, RawFd)], source: RawFd) -> RawFd {
    let mut moves = moves.iter();
    moves.find(|(from, _)| *from == source).map_or(source, |(_, to)| *to)
}

/// In ascending order, each once.
fn sorted(numbers: impl Iterator<Item = RawFd>) -> Numbers {
    let mut numbers: Numbers = numbers.collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn insert(sorted: &mut Numbers, number: RawFd) {
    if let Err(index) = sorted.binary_search(&number) {
        sorted.insert(index, number);
    }
}

/// The lowest number from this one on that is not among these sorted ones.
fn lowest(used: &[RawFd], from: RawFd) -> RawFd {
    let above = used.iter().skip_while(|used| **used < from).zip(from..);
    let taken = above.take_while(|(used, number)| **used == *number);
    taken.last().map_or(from, |(_, number)| number + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A table of descriptors by what they are: here, the parent's numbers.
    type Table = BTreeMap<RawFd, RawFd>;

    /// Does what the child does, in a parent where all these are open.
    fn arrange(layout: &Layout, open: impl IntoIterator<Item = RawFd>) -> Table {
        let mut table: Table = open.into_iter().map(|fd| (fd, fd)).collect();
        for (from, to) in layout.moves.iter().chain(&layout.places) {
            let what = table[from];
            table.insert(*to, what);
        }
        table.retain(|number, _| layout.kept.contains(number));
        table
    }

    /// Nothing yet, of which all is asked for.
    fn listed() -> Wanted {
        Wanted { listed: true, ..Wanted::default() }
    }

    /// All that must be so of a layout.
    fn check(wanted: &Wanted) -> Layout {
        let layout = Layout::new(wanted);
        let short = Layout::new(&Wanted { listed: false, ..wanted.clone() });
        assert_eq!((&short.moves, &short.places), (&layout.moves, &layout.places));
        assert_eq!(short.scripts, layout.scripts);
        if let ([(stdin, 0), (stdout, 1), (stderr, 2)], true, true) =
            (&wanted.places[..], wanted.scripts.is_empty(), wanted.named.is_empty())
        {
            let hidden: Vec<_> = wanted.hidden.iter().copied().map(Some).collect();
            let simple = Layout::of_streams([*stdin, *stdout, *stderr], &hidden);
            let is_simple = Wanted { listed: false, ..wanted.clone() }.is_simple();
            assert_eq!(simple, is_simple.then_some(short), "{wanted:?}");
        }
        let table = arrange(&layout, 0..64);
        let starts: BTreeMap<_, _> = wanted.places.iter().map(|(what, at)| (at, what)).collect();
        for (number, what) in starts {
            assert_eq!(table[number], *what, "{wanted:?} {layout:?}");
            assert!(!layout.hidden.contains(number));
        }
        for what in &wanted.hidden {
            assert_eq!(table[&layout.find(*what)], *what, "{wanted:?} {layout:?}");
            assert!(layout.hidden.contains(&layout.find(*what)));
        }
        assert_eq!(layout.scripts.len(), wanted.scripts.len());
        for (number, script) in layout.scripts.iter().zip(&wanted.scripts) {
            assert_eq!(table[number], *script);
            assert!(layout.hidden.contains(number));
        }
        for number in &wanted.named {
            assert!(!layout.hidden.contains(number), "{wanted:?} {layout:?}");
        }
        assert!(layout.hidden.is_sorted() && layout.kept.is_sorted());
        assert!(layout.hidden.iter().all(|number| layout.kept.contains(number)));
        layout
    }

    #[test]
    fn nothing_moves_that_need_not() {
        let layout = check(&Wanted {
            places: smallvec![(7, 0), (8, 1), (7, 2)],
            hidden: smallvec![5, 6],
            ..listed()
        });
        assert!(layout.moves.is_empty());
        assert_eq!(layout.hidden.as_slice(), [5, 6]);
        assert_eq!(layout.kept.as_slice(), [0, 1, 2, 5, 6]);
    }

    #[test]
    fn a_script_has_the_lowest_number() {
        let mut wanted = Wanted {
            places: smallvec![(3, 0), (4, 1), (5, 2)],
            hidden: smallvec![6],
            scripts: smallvec![9],
            named: smallvec![],
            listed: true,
        };
        assert_eq!(check(&wanted).scripts.as_slice(), [3]);
        wanted.named = smallvec![3, 4, 6];
        assert_eq!(check(&wanted).scripts.as_slice(), [5]);
        wanted.scripts = smallvec![3];
        assert_eq!(check(&wanted).scripts.as_slice(), [5]);
        wanted.scripts = smallvec![3, 9, 6];
        assert_eq!(check(&wanted).scripts.as_slice(), [5, 7, 8]);
    }

    #[test]
    fn a_later_place_of_a_number_counts() {
        let wanted = Wanted { places: smallvec![(9, 0), (8, 1), (7, 2), (6, 0)], ..listed() };
        assert_eq!(check(&wanted).places.as_slice(), [(6, 0), (8, 1), (7, 2)]);
    }

    #[test]
    fn every_small_case() {
        // Sources and numbers that collide in every way; some, where it is slow.
        let step = if cfg!(miri) { 97 } else { 1 };
        let mut all = Vec::new();
        let streams = [[0, 1, 2], [2, 0, 1], [1, 1, 1], [3, 4, 5], [5, 3, 0]];
        let numbers = [-1, 0, 2, 3, 4, 5, 6, 7, RawFd::MAX];
        for [a, b, c] in streams {
            for hidden in
                [smallvec![], smallvec![3], smallvec![4, 3], smallvec![6, 6, 0], smallvec![5, 7, 8]]
            {
                for scripts in [&[][..], &[3], &[1], &[6], &[6, 9]] {
                    for passed in [3, 5, 40] {
                        for named in numbers.windows(3) {
                            all.push(Wanted {
                                places: smallvec![(a, 0), (b, 1), (c, 2), (6, passed), (3, 4)],
                                hidden: hidden.clone(),
                                scripts: scripts.into(),
                                named: named.into(),
                                listed: true,
                            });
                        }
                    }
                }
            }
        }
        for wanted in all.iter().step_by(step) {
            check(wanted);
        }
    }
}
