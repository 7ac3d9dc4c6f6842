//! How the figures grow with their host, as an image.

use std::fmt::Write;

use crate::condition::Condition;
use crate::method::Method;
use crate::sample::{Sample, Samples, Scene};
use crate::work::Work;

/// A curve's points: a size, and nanoseconds.
type Curve = Vec<(f64, f64)>;

/// The methods with a curve, and their colours.
const METHODS: [(Method, &str); 8] = [
    (Method::Floor, "#777777"),
    (Method::Engine, "#1b9e77"),
    (Method::Guest, "#d95f02"),
    (Method::PosixSpawn, "#7570b3"),
    (Method::Std, "#1f78b4"),
    (Method::Tokio, "#e7298a"),
    (Method::AsyncProcess, "#a6761d"),
    (Method::Fork, "#e31a1c"),
];

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 300.0;
const MARGIN: f64 = 50.0;

/// Microseconds at the bottom and at the top of a panel.
const LOW: f64 = 30.0;
const HIGH: f64 = 100_000.0;

/// What a panel shows: a title, the size that stands for nothing, and the size
/// that a condition has in it.
type Panel = (&'static str, f64, fn(Condition) -> Option<u32>);

/// Draws a panel for memory, for descriptors and for children.
pub fn draw(samples: &Samples) -> String {
    let panels: [Panel; 3] = [
        ("MiB of touched memory", 16.0, |condition| match condition {
            Condition::Memory(size) => Some(size),
            _ => None,
        }),
        ("open descriptors", 10.0, |condition| match condition {
            Condition::Descriptors(size) => Some(size),
            _ => None,
        }),
        ("live children", 1.0, |condition| match condition {
            Condition::Children(size) => Some(size),
            _ => None,
        }),
    ];
    let width = 3.0 * (WIDTH + MARGIN) + 2.0 * MARGIN;
    let height = HEIGHT + 3.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"20\" font-size=\"14\">Starting a program of one page and waiting \
         for it: microseconds, by what the host has</text>\n"
    );
    let mut left = MARGIN;
    for panel in &panels {
        draw_panel(&mut svg, samples, panel, left);
        left += WIDTH + MARGIN;
    }
    for (index, (method, colour)) in (0_u8..).zip(METHODS) {
        let (x, y) = (MARGIN + f64::from(index) * 125.0, HEIGHT + 2.6 * MARGIN);
        let name = method.name();
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{y}\">{name}</text>",
            y - 6.0,
            x + 16.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn draw_panel(svg: &mut String, samples: &Samples, panel: &Panel, left: f64) {
    let (title, none, size) = panel;
    let curves: Vec<(Curve, &str)> = METHODS
        .iter()
        .map(|(method, colour)| (curve(samples, *method, *none, *size), *colour))
        .collect();
    let sizes = curves.iter().flat_map(|(curve, _)| curve).map(|(size, _)| *size);
    let largest = sizes.fold(none * 10.0, f64::max);
    let (top, bottom) = (MARGIN, MARGIN + HEIGHT);
    let x = |size: f64| left + WIDTH * (size / none).ln() / (largest / none).ln();
    let y = |micro: f64| bottom - HEIGHT * (micro / LOW).ln() / (HIGH / LOW).ln();
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{top}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" \
         stroke=\"#999\"/><text x=\"{left}\" y=\"{}\">{title}</text>",
        bottom + 30.0
    );
    for micro in [100.0, 1000.0, 10_000.0] {
        let y = y(micro);
        let _ = writeln!(
            svg,
            "<line x1=\"{left}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{micro}</text>",
            left + WIDTH,
            left - 4.0,
            y + 4.0
        );
    }
    for size in [*none, largest] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{size}</text>",
            x(size),
            bottom + 14.0
        );
    }
    for (curve, colour) in curves {
        let points = curve
            .iter()
            .map(|(size, nanoseconds)| format!("{:.1},{:.1}", x(*size), y(nanoseconds / 1000.0)));
        let points: Vec<String> = points.collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
    }
}

fn curve(
    samples: &Samples,
    method: Method,
    none: f64,
    size: fn(Condition) -> Option<u32>,
) -> Curve {
    let sample = |condition| Sample { scene: Scene { work: Work::Tiny, condition }, method };
    let point = |condition, size| Some((size, samples.spread(sample(condition))?.median));
    let conditions = samples
        .0
        .keys()
        .filter(|sample| sample.method == method && sample.scene.work == Work::Tiny);
    let grown = conditions.filter_map(|sample| {
        let condition = sample.scene.condition;
        point(condition, f64::from(size(condition)?))
    });
    point(Condition::Small, none).into_iter().chain(grown).collect()
}
