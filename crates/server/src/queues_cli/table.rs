//! Tables of text: aligned columns that fit, numbers to the right.
//!
//! What always holds: what is printed has no control characters; a wide character counts as the
//! two columns that a terminal gives it; where there is a width, no line is longer.

use std::fmt::Write as _;

/// Between two columns.
const GAP: usize = 2;
/// What is left of a column that has to give way.
const FLEXIBLE_MIN: usize = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    /// To the left, and cut when the line would be too long. One in a table.
    Flexible,
}

pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().map(|cell| one_line(&cell));
        self.rows.push(cells.collect());
    }

    /// The lines, within so many columns if that is given.
    pub(super) fn text(&self, columns: Option<usize>) -> String {
        let titles: Vec<String> = self
            .columns
            .iter()
            .map(|(title, _)| (*title).to_owned())
            .collect();
        let mut widths: Vec<usize> = titles.iter().map(|title| width(title)).collect();
        for row in &self.rows {
            for (at, cell) in row.iter().enumerate() {
                widths[at] = widths[at].max(width(cell));
            }
        }
        if let Some(columns) = columns {
            let all = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            let over = all.saturating_sub(columns);
            let flexible = self
                .columns
                .iter()
                .position(|(_, align)| *align == Align::Flexible);
            if let Some(at) = flexible {
                widths[at] = widths[at]
                    .saturating_sub(over)
                    .max(FLEXIBLE_MIN.min(widths[at]));
            }
        }
        let mut text = String::new();
        for row in std::iter::once(&titles).chain(&self.rows) {
            let mut line = String::new();
            for (at, cell) in row.iter().enumerate() {
                let shown = shorten(cell, widths[at]);
                let room = " ".repeat(widths[at].saturating_sub(width(&shown)));
                let gap = if at == 0 { "" } else { "  " };
                let _ = match self.columns[at].1 {
                    Align::Right => write!(line, "{gap}{room}{shown}"),
                    Align::Left | Align::Flexible => write!(line, "{gap}{shown}{room}"),
                };
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}

/// Columns that a terminal needs for a text.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// East Asian wide and full-width characters, and pictures; combining marks take none. Rough
/// where Unicode has more to say.
fn columns_of(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1_f300..=0x1_f64f
        | 0x1_f680..=0x1_f9ff
        | 0x2_0000..=0x3_fffd => 2,
        _ => 1,
    }
}

/// Within so many columns, with `…` where something is missing.
pub(super) fn shorten(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut left = columns.saturating_sub(1);
    for character in text.chars() {
        let needed = columns_of(character);
        if needed > left {
            break;
        }
        left -= needed;
        short.push(character);
    }
    short.push('…');
    short
}

/// Characters that say something to the terminal and not to the reader: controls, and those that
/// turn the direction of writing.
fn is_unprintable(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// White space is one space, and there is nothing that a terminal would act on.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().filter(|&character| !is_unprintable(character)));
    }
    line
}

/// The text with its lines, but nothing that a terminal would act on.
pub(super) fn plain(text: &str) -> String {
    let keeps = |&character: &char| matches!(character, '\n' | '\t') || !is_unprintable(character);
    text.chars().filter(keeps).collect()
}

/// A count in at most six characters: whole below a million, three digits from there on.
pub(super) fn compact(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
    ];
    let Some((unit, letter)) = UNITS.into_iter().find(|(unit, _)| count >= *unit) else {
        return count.to_string();
    };
    let whole = count / unit;
    let thousandths = count % unit / (unit / 1_000);
    match whole {
        0..=9 => format!("{whole}.{:02}{letter}", thousandths / 10),
        10..=99 => format!("{whole}.{}{letter}", thousandths / 100),
        _ => format!("{whole}{letter}"),
    }
}

/// How long ago, in the largest whole unit.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cells: &[[&str; 3]]) -> Table {
        let mut table = Table::new(&[
            ("NAME", Align::Left),
            ("COUNT", Align::Right),
            ("TEXT", Align::Flexible),
        ]);
        for row in cells {
            table.row(row.map(str::to_owned));
        }
        table
    }

    #[test]
    fn columns_stand_below_their_titles() {
        let text = table(&[["a", "1", "x"], ["longer-name", "1000000", "한글"]]).text(None);
        assert_eq!(
            text,
            "NAME           COUNT  TEXT\na                  1  x\nlonger-name  1000000  한글\n"
        );
    }

    #[test]
    fn a_line_fits_and_says_that_it_was_cut() {
        let long = "주문이 접수되었습니다. ".repeat(10);
        let table = table(&[["a", "1", &long], ["b", "2", &"x".repeat(200)]]);
        for columns in [80, 40, 25] {
            let text = table.text(Some(columns));
            for line in text.lines() {
                assert!(width(line) <= columns, "{columns}: {line}");
            }
            assert_eq!(text.matches('…').count(), 2, "{text}");
        }
        assert!(!table.text(None).contains('…'));
    }

    #[test]
    fn a_terminal_is_told_nothing_by_a_message() {
        let nasty = "a\u{1b}[31m\r\nb\u{9b}2J\u{202e}\tc\u{7}";
        assert_eq!(one_line(nasty), "a[31m b2J c");
        assert_eq!(plain(nasty), "a[31m\nb2J\tc");
    }

    #[test]
    fn counts_have_six_characters_at_most() {
        for (count, expected) in [
            (0, "0"),
            (999_999, "999999"),
            (1_000_000, "1.00M"),
            (1_239_999, "1.23M"),
            (12_345_678, "12.3M"),
            (999_999_999, "999M"),
            (7_000_000_000, "7.00G"),
            (123_000_000_000_000, "123T"),
        ] {
            assert_eq!(compact(count), expected);
            assert!(expected.len() <= 6);
        }
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (3_599, "59 min"),
            (86_399, "23 h"),
            (1_209_600, "14 d"),
        ] {
            assert_eq!(age(seconds), expected);
        }
    }
}
