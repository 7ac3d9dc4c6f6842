//! The table at the end.

use crate::limits::Used;
use crate::outcome::{Row, Verdict};
use crate::screen::paint;
use offspring_guest::PeakMemory;
use std::fmt::Write as _;
use std::time::Duration;

const HEAD: [&str; COLUMNS] =
    ["step", "outcome", "wall", "cpu", "throttled", "memory", "oom kills"];

const COLUMNS: usize = 7;

/// The columns that are read as text; the others are figures.
const TEXT_COLUMNS: usize = 2;

/// Formats the report of the whole run.
pub fn table(rows: &[Row], total: Duration, colour: bool) -> String {
    let cells: Vec<[String; COLUMNS]> = rows.iter().map(cells).collect();
    let mut widths = HEAD.map(|head| head.chars().count());
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }

    let mut text = String::from("\n");
    let head = HEAD.map(str::to_owned);
    let _ =
        writeln!(text, "{}", paint(line(&head, &widths, |_, cell| cell).trim_end(), "1", colour));
    for (row, cells) in rows.iter().zip(&cells) {
        let outcome = |column, cell: String| match column {
            1 => paint(&cell, row.verdict().colour(), colour),
            _ => cell,
        };
        let _ = writeln!(text, "{}", line(cells, &widths, outcome).trim_end());
    }
    let _ = writeln!(text, "\n{}", summary(rows, total, colour));
    text
}

fn line(
    cells: &[String; COLUMNS],
    widths: &[usize; COLUMNS],
    decorate: impl Fn(usize, String) -> String,
) -> String {
    let columns = cells.iter().zip(widths).enumerate().map(|(column, (cell, &width))| {
        let cell = match column < TEXT_COLUMNS {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        };
        decorate(column, cell)
    });
    columns.collect::<Vec<_>>().join("  ")
}

fn cells(row: &Row) -> [String; COLUMNS] {
    let outcome = match row.verdict() {
        Verdict::Allowed => format!("{} (allowed)", row.outcome),
        _ => row.outcome.to_string(),
    };
    let wall = row.wall.map(time).unwrap_or_default();
    // Without a process there is nothing; what is not counted is a dash.
    let figure = |cell: &dyn Fn(&Used) -> Option<String>| {
        let cell = row.used.as_ref().map(|used| cell(used).unwrap_or_else(|| "-".to_owned()));
        cell.unwrap_or_default()
    };
    [
        row.step.clone(),
        outcome,
        wall,
        figure(&|used| Some(time(used.cpu))),
        figure(&|used| used.throttled.map(time)),
        figure(&|used| Some(memory(used.memory))),
        figure(&|used| used.oom_kills.map(|kills| kills.to_string())),
    ]
}

fn summary(rows: &[Row], total: Duration, colour: bool) -> String {
    let count = |verdict| rows.iter().filter(|row| row.verdict() == verdict).count();
    let parts: Vec<String> = [
        (Verdict::Passed, "passed"),
        (Verdict::Failed, "failed"),
        (Verdict::Allowed, "failed as allowed"),
        (Verdict::Skipped, "skipped"),
    ]
    .into_iter()
    .filter(|&(verdict, _)| count(verdict) > 0)
    .map(|(verdict, word)| format!("{} {word}", count(verdict)))
    .collect();
    let (word, code) = match count(Verdict::Failed) {
        0 => ("ok", "1;32"),
        _ => ("failed", "1;31"),
    };
    let word = paint(word, code, colour);
    let steps = if rows.len() == 1 { "1 step".into() } else { format!("{} steps", rows.len()) };
    format!("{word}: {steps} in {}: {}", time(total), parts.join(", "))
}

/// Three figures or so, whatever the size.
fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match time.as_millis() {
        millis @ ..1000 => format!("{millis} ms"),
        1000..10_000 => format!("{:.2} s", time.as_secs_f64()),
        10_000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ if seconds < 3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
    }
}

fn memory(peak: PeakMemory) -> String {
    const MIB: u64 = 1 << 20;
    let (sign, bytes) = match peak {
        PeakMemory::Exact(bytes) => ("", bytes),
        PeakMemory::AtMost(bytes) => ("≤ ", bytes),
    };
    match bytes {
        0..MIB => format!("{sign}{} KiB", bytes.div_ceil(1024)),
        _ if bytes < 1024 * MIB => format!("{sign}{:.1} MiB", bytes as f64 / MIB as f64),
        _ => format!("{sign}{:.2} GiB", bytes as f64 / (1024 * MIB) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use offspring_guest::Signal;

    fn row(step: &str, outcome: Outcome, used: Option<(u64, PeakMemory)>) -> Row {
        Row {
            step: step.into(),
            outcome,
            allowed: false,
            wall: used.map(|(cpu, _)| Duration::from_millis(cpu * 2)),
            used: used.map(|(cpu, memory)| Used {
                cpu: Duration::from_millis(cpu),
                memory,
                throttled: None,
                oom_kills: None,
            }),
        }
    }

    #[test]
    fn the_whole_table() {
        let mut rows = vec![
            row("git/log", Outcome::Ok, Some((12, PeakMemory::AtMost(12_900_000)))),
            row("git/status --short", Outcome::Exit(3), Some((1234, PeakMemory::Exact(700_000)))),
            row("build", Outcome::Signal(Signal::KILL), Some((3, PeakMemory::Exact(3 << 30)))),
            row("publish", Outcome::Denied("args".into()), None),
            row("later", Outcome::Skipped, None),
        ];
        rows[1].allowed = true;
        rows[2].used = rows[2].used.map(|used| Used {
            throttled: Some(Duration::from_millis(1500)),
            oom_kills: Some(1),
            ..used
        });
        let expected = "
step                outcome             wall     cpu  throttled      memory  oom kills
git/log             ok                 24 ms   12 ms          -  ≤ 12.3 MiB          -
git/status --short  exit 3 (allowed)  2.47 s  1.23 s          -     684 KiB          -
build               SIGKILL             6 ms    3 ms     1.50 s    3.00 GiB          1
publish             denied: args
later               skipped

failed: 5 steps in 1 m 05 s: 1 passed, 2 failed, 1 failed as allowed, 1 skipped
";
        assert_eq!(table(&rows, Duration::from_secs(65), false), expected);
    }

    #[test]
    fn colour_does_not_move_columns() {
        let rows = [
            row("a", Outcome::Ok, Some((1, PeakMemory::Exact(1)))),
            row("b", Outcome::Deadline, Some((1, PeakMemory::Exact(1)))),
        ];
        let coloured = table(&rows, Duration::ZERO, true);
        let lines: Vec<String> =
            coloured.lines().map(|line| crate::clean::clean(line.as_bytes(), false)).collect();
        let plain = table(&rows, Duration::ZERO, false);
        assert_eq!(lines, plain.lines().collect::<Vec<_>>());
        assert!(coloured.contains("\x1b[31mdeadline\x1b[0m"));
    }

    #[test]
    fn times() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1.00 s"),
            (59_949, "59.9 s"),
            (60_000, "1 m 00 s"),
            (3_725_000, "1 h 02 m"),
        ];
        for (millis, text) in cases {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
    }
}
