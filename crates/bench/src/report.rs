//! The measurements as Markdown tables, to be read in a terminal and to be put into a page.

use std::fmt::Write as _;

use crate::memory;
use crate::rows::{self, Row};
use crate::suite::{Cell, Commits, Report};

/// The middle of some figures and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// Nothing when there are no figures.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Some(Self { median, min, max })
    }
}

/// How `row` stands to the row it is compared with, for each round in which neither was
/// disturbed: `of` the one cell, divided by `of` the other. When every round was disturbed, all
/// of them count.
pub fn ratios(
    report: &Report,
    row: &Row,
    connections: u16,
    of: &dyn Fn(&Cell) -> f64,
) -> Option<Spread> {
    let against = row.against?;
    let cell = |name: &str, round: u16| {
        report.cells.iter().find(|cell| {
            cell.row == name && cell.round == round && cell.outcome.connections == connections
        })
    };
    let pairs: Vec<(&Cell, &Cell)> = (0..report.rounds)
        .filter_map(|round| Some((cell(row.name, round)?, cell(against, round)?)))
        .collect();
    let quiet = pairs
        .iter()
        .filter(|(one, other)| !one.disturbed() && !other.disturbed())
        .map(|(one, other)| of(one) / of(other));
    Spread::of(quiet).or_else(|| Spread::of(pairs.iter().map(|(one, other)| of(one) / of(other))))
}

/// The cells that were not disturbed, or all of them when there is none.
fn quiet<'a>(cells: &[&'a Cell]) -> Vec<&'a Cell> {
    let quiet: Vec<&Cell> = cells
        .iter()
        .copied()
        .filter(|cell| !cell.disturbed())
        .collect();
    if quiet.is_empty() {
        cells.to_vec()
    } else {
        quiet
    }
}

pub fn rate(cell: &Cell) -> f64 {
    cell.outcome.rate
}

/// Requests for each second of CPU time, that of the server and of the generator together: what
/// the rate would be limited by if nothing else ran and nobody waited.
pub fn requests_per_cpu_s(cell: &Cell) -> f64 {
    1e6 / (cell.outcome.server_cpu_us + cell.outcome.generator_cpu_us)
}

/// One line for each row and number of connections: medians over the rounds that were not
/// disturbed, the lowest and the highest beside them, and how many rounds those are.
pub fn suite_table(report: &Report) -> String {
    let mut text = format!(
        "{}\nfdatasync of 4 KiB: append p50 {:.3} ms, p99 {:.3} ms; overwrite p50 {:.3} ms, p99 {:.3} ms\n\
         {} rounds, {} s each after {} s of warm-up; median (lowest to highest)\n\n",
        report.machine,
        report.probe.append_ms_p50,
        report.probe.append_ms_p99,
        report.probe.overwrite_ms_p50,
        report.probe.overwrite_ms_p99,
        report.rounds,
        report.window_s,
        report.warmup_s,
    );
    text.push_str(
        "| | connections | quiet rounds | requests/s | messages/s | of the echo | by CPU time | p50 ms | p99 ms | server CPU us | \
         generator CPU us | generator busy | others busy | written B |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for (row, connections, cells) in groups(report) {
        suite_line(&mut text, report, row, connections, &cells);
    }
    for name in &report.not_run {
        let title = rows::find(name).map_or(*name, |row| row.title);
        writeln!(
            text,
            "| {title} | | not run: its program is not there | | | | | | | | | | | |"
        )
        .expect("a String takes everything");
    }
    text
}

/// How often a commit is shared, and which threads the server's CPU time goes to.
pub fn parts_table(report: &Report) -> String {
    let mut text =
        "| | connections | decisions a commit | commit ms | server CPU us, by thread |\n\
                    |---|--:|--:|--:|---|\n"
            .to_owned();
    for (row, connections, all) in groups(report) {
        let cells = quiet(&all);
        let mean = |of: &dyn Fn(&Commits) -> f64, digits: usize| {
            Spread::of(
                cells
                    .iter()
                    .filter_map(|cell| cell.commits.as_ref())
                    .map(of),
            )
            .map_or_else(String::new, |spread| format!("{:.digits$}", spread.median))
        };
        let mut threads: Vec<(&str, f64)> = Vec::new();
        for (name, _) in cells
            .iter()
            .flat_map(|cell| &cell.outcome.server_thread_cpu_us)
        {
            if threads.iter().all(|(known, _)| known != name) {
                let figures = cells.iter().map(|cell| thread_cpu_us(cell, name));
                let spread = Spread::of(figures).expect("there is a cell");
                threads.push((name, spread.median));
            }
        }
        let threads: Vec<String> = threads
            .iter()
            .filter(|(_, cpu_us)| *cpu_us >= THREAD_CPU_US_SHOWN)
            .map(|(name, cpu_us)| format!("{name} {cpu_us:.1}"))
            .collect();
        line(
            &mut text,
            &[
                row.title.to_owned(),
                connections.to_string(),
                mean(&|commits| commits.decisions, 1),
                mean(&|commits| commits.commit_ms, 2),
                threads.join(", "),
            ],
        );
    }
    text
}

/// Below it a thread is left out of the table, in microseconds a request.
const THREAD_CPU_US_SHOWN: f64 = 0.05;

fn thread_cpu_us(cell: &Cell, name: &str) -> f64 {
    let threads = &cell.outcome.server_thread_cpu_us;
    threads
        .iter()
        .find(|(known, _)| known == name)
        .map_or(0.0, |(_, cpu_us)| *cpu_us)
}

/// The cells by number of connections, and in the order of the rows.
fn groups(report: &Report) -> Vec<(&'static Row, u16, Vec<&Cell>)> {
    let mut connections: Vec<u16> = Vec::new();
    for cell in &report.cells {
        if !connections.contains(&cell.outcome.connections) {
            connections.push(cell.outcome.connections);
        }
    }
    let mut groups = Vec::new();
    for connections in connections {
        for row in rows::all() {
            let cells: Vec<&Cell> = report
                .cells
                .iter()
                .filter(|cell| cell.row == row.name && cell.outcome.connections == connections)
                .collect();
            if !cells.is_empty() {
                groups.push((row, connections, cells));
            }
        }
    }
    groups
}

fn suite_line(text: &mut String, report: &Report, row: &Row, connections: u16, all: &[&Cell]) {
    let undisturbed = all.iter().filter(|cell| !cell.disturbed()).count();
    let cells = quiet(all);
    let spread = |of: &dyn Fn(&Cell) -> f64| {
        Spread::of(cells.iter().map(|cell| of(cell))).expect("there is a cell")
    };
    let rates = spread(&rate);
    let ratio = |of: &dyn Fn(&Cell) -> f64| {
        ratios(report, row, connections, of).map_or_else(String::new, |ratio| {
            format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.min, ratio.max)
        })
    };
    let p99 = spread(&|cell| cell.outcome.latency_ms_p99);
    writeln!(
        text,
        "| {}{} | {connections} | {undisturbed} of {} | {} ({} to {}) | {} | {} | {} | {:.2} | {:.2} ({:.2} to {:.2}) | {:.1} | {:.1} | {:.0} % | {:.0} % | {:.0} |",
        row.title,
        other_share(row, &cells),
        all.len(),
        thousands(rates.median),
        thousands(rates.min),
        thousands(rates.max),
        messages_rate(row, &cells),
        ratio(&rate),
        ratio(&requests_per_cpu_s),
        spread(&|cell| cell.outcome.latency_ms_p50).median,
        p99.median,
        p99.min,
        p99.max,
        spread(&|cell| cell.outcome.server_cpu_us).median,
        spread(&|cell| cell.outcome.generator_cpu_us).median,
        spread(&|cell| cell.outcome.generator_busy * 100.0).median,
        spread(&|cell| cell.outcome.others_busy * 100.0).median,
        spread(&|cell| cell.outcome.server_written_bytes).median,
    )
    .expect("a String takes everything");
}

/// How many of the answers had the other status, where a row allows one.
fn other_share(row: &Row, cells: &[&Cell]) -> String {
    let shares = cells.iter().map(|cell| cell.outcome.other_share * 100.0);
    match (row.also, Spread::of(shares)) {
        (Some(status), Some(share)) => format!(" ({:.0} % {status})", share.median),
        (Some(_) | None, _) => String::new(),
    }
}

/// Messages that came to the end of their cycle, or that were sent.
fn messages_rate(row: &Row, cells: &[&Cell]) -> String {
    let of = |cell: &&Cell| match row.cycle {
        Some(_) => cell.outcome.messages_rate,
        None => cell.outcome.rate * f64::from(row.messages),
    };
    match Spread::of(cells.iter().map(of)) {
        Some(spread) if spread.median > 0.0 => thousands(spread.median),
        _ => String::new(),
    }
}

/// 61234.5 as `61,235`.
pub(crate) fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const MIB: f64 = 1024.0 * 1024.0;

/// The memory at each step, what one order adds, and the starts.
pub fn memory_table(report: &memory::Report) -> String {
    let mut text = format!(
        "{}\n{} orders into one product, of each of which is kept\n\n| orders |",
        report.machine,
        thousands(report.orders as f64)
    );
    let mut rule = String::from("|--:|");
    for series in &report.series {
        write!(text, " {}, MiB |", series.kept.title()).expect("a String takes everything");
        rule.push_str("--:|");
    }
    text.push('\n');
    text.push_str(&rule);
    text.push('\n');
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / MIB);
    let mut row = |title: String, of: &dyn Fn(&memory::Series) -> String| {
        let cells = report.series.iter().map(of);
        line(
            &mut text,
            &[title].into_iter().chain(cells).collect::<Vec<_>>(),
        );
    };
    let steps = report
        .series
        .iter()
        .map(|series| series.samples.len())
        .min();
    for step in 0..steps.unwrap_or(0) {
        let orders = report.series[0].samples[step].orders;
        row(thousands(orders as f64), &|series| {
            mib(series.samples[step].resident_bytes)
        });
    }
    row("connections closed".to_owned(), &|series| {
        mib(series.resident_bytes_after)
    });
    row("an order".to_owned(), &|series| {
        format!("{:.1} B", series.bytes_per_order)
    });
    row(
        "store on disk".to_owned(),
        &|series| mib(series.store_bytes),
    );
    row("orders/s".to_owned(), &|series| {
        thousands(series.outcome.rate)
    });
    row("others busy".to_owned(), &|series| {
        format!("{:.0} %", series.outcome.others_busy * 100.0)
    });
    text.push_str(
        "\n| start after | kept | stop ms | ready file ms | /readyz ms | GET order ms | MiB |\n\
         |---|---|--:|--:|--:|--:|--:|\n",
    );
    for series in &report.series {
        for start in &series.starts {
            line(
                &mut text,
                &[
                    start.after.to_owned(),
                    series.kept.title().to_owned(),
                    start
                        .stop_ms
                        .map_or_else(String::new, |stop| format!("{stop:.0}")),
                    format!("{:.1}", start.ready_file_ms),
                    format!("{:.1}", start.readyz_ms),
                    format!("{:.1}", start.order_ms),
                    mib(start.resident_bytes),
                ],
            );
        }
    }
    text
}

fn line(text: &mut String, columns: &[String]) {
    writeln!(text, "| {} |", columns.join(" | ")).expect("a String takes everything");
}
