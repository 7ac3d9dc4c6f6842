//! Warms up by touching so many MiB, and then forks so often, for a job that does
//! nothing. Prints nanoseconds: of warming up, and of each fork with waiting for its
//! end.

use std::hint::black_box;
use std::time::Instant;

use offspring_guest::fork::Options;

/// The size of the pages that a native process touches, too.
const PAGE: usize = 4096;

fn main() -> std::io::Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|word| word.parse::<usize>().ok());
    let (size, count) = (numbers.next().unwrap_or(0) << 20, numbers.next().unwrap_or(0));
    let start = Instant::now();
    let mut memory = vec![0_u8; size];
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
    black_box(&memory);
    let mut figures = vec![("warm", start.elapsed())];
    for _ in 0..count {
        let start = Instant::now();
        let child = Options::new().async_safe().spawn(|| memory.first().copied().unwrap_or(1))?;
        child.wait()?;
        figures.push(("fork", start.elapsed()));
    }
    for (what, figure) in figures {
        println!("{what} {}", figure.as_nanos());
    }
    Ok(())
}
