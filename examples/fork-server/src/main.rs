//! Warms up once and forks for each job.
//!
//! Warming up makes a table of 64 MiB. A job is a line of the standard input:
//! a number, for the count of primes up to it; `loop` and `crash` are jobs that
//! go wrong, and take nothing with them but themselves.

use std::collections::VecDeque;
use std::io::{self, BufRead};
use std::time::Duration;

use offspring_guest::PidFd;
use offspring_guest::fork::Options;

/// How many jobs run at once; the policy allows no more.
const AT_ONCE: usize = 4;

/// How many numbers the table has, a byte each.
const NUMBERS: usize = 64 << 20;

fn main() -> io::Result<()> {
    let primes = sieve(NUMBERS);
    let mut running = VecDeque::new();
    for job in io::stdin().lock().lines() {
        let job = job?;
        if running.len() == AT_ONCE {
            finish(running.pop_front())?;
        }
        // No job reads our input: what is in our buffer is in theirs as well.
        let options = Options::new().deadline(Duration::from_secs(2));
        let child = options.spawn(|| run(&primes, &job))?;
        running.push_back((job, child));
    }
    while !running.is_empty() {
        finish(running.pop_front())?;
    }
    Ok(())
}

/// A table that says of each number whether it is prime.
fn sieve(count: usize) -> Vec<bool> {
    let mut primes = vec![true; count];
    primes[..2].fill(false);
    let mut number = 2;
    while number * number < count {
        if primes[number] {
            let multiples = (number * number..count).step_by(number);
            multiples.for_each(|multiple| primes[multiple] = false);
        }
        number += 1;
    }
    primes
}

/// What a job does, in a process of its own.
fn run(primes: &[bool], job: &str) -> u8 {
    match (job, job.parse::<usize>()) {
        ("loop", _) => loop {
            std::hint::spin_loop();
        },
        ("crash", _) => panic!("this job goes wrong"),
        (_, Ok(limit)) if limit < primes.len() => {
            let count = primes[..=limit].iter().filter(|prime| **prime).count();
            println!("{count} primes up to {limit}");
            0
        }
        _ => 2,
    }
}

/// Waits for a job, and says how it ended.
fn finish(job: Option<(String, PidFd)>) -> io::Result<()> {
    if let Some((job, child)) = job {
        let status = child.wait()?;
        println!("{job}: {status}");
    }
    Ok(())
}
