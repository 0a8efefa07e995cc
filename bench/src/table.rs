//! The table.

use crate::drive::Outcome;

/// One line.
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) connections: usize,
    pub(crate) outcome: Outcome,
    /// Microseconds of the server's processor time a request.
    pub(crate) processor: f64,
    /// Of the bare server, driven just before: requests a second, and processor time a request.
    pub(crate) bare: Option<(f64, f64)>,
    /// The least ratio that is asked for.
    pub(crate) at_least: Option<f64>,
}

/// The heading, as long as the lines.
pub(crate) fn heading() -> String {
    let titles = format!(
        "{:<34} {:>5} {:>9} {:>7} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "work", "conns", "req/s", "of bare", "target", "CPU µs", "CPU/bare", "p50 ms", "p99 ms", "p99.9 ms", "max ms"
    );
    format!("{titles}\n{}", "-".repeat(titles.chars().count()))
}

impl Row {
    /// As a line of the table.
    pub(crate) fn line(&self) -> String {
        let Row { work, connections, outcome, processor, bare, at_least } = self;
        let or_dash = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let quantile = |quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1000.0;
        let mut line = format!(
            "{work:<34} {connections:>5} {:>9.0} {:>7} {:>6} {processor:>8.1} {:>8} {:>8.2} {:>8.2} {:>8.2} {:>8.2}",
            outcome.per_second(),
            or_dash(bare.map(|(per_second, _)| outcome.per_second() / per_second)),
            or_dash(*at_least),
            or_dash(bare.map(|(_, of_bare)| processor / of_bare)),
            quantile(0.5),
            quantile(0.99),
            quantile(0.999),
            outcome.latency.max() as f64 / 1000.0,
        );
        if outcome.failed > 0 {
            let first = outcome.first_failure.as_deref().unwrap_or_default();
            line.push_str(&format!("  {} FAILED, first: {first}", outcome.failed));
        }
        line
    }
}
