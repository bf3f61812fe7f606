//! Tables for people: columns aligned by what a terminal shows of them, numbers to the right.

use unicode_width::UnicodeWidthStr as _;

use crate::terminal::{Colour, Paint, plain};

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    /// For numbers.
    Right,
}

/// A cell.
pub struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// In a colour.
    pub fn coloured(text: &str, colour: Option<Colour>) -> Self {
        Self { text: plain(text), colour }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::coloured(text, None)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::from(grouped(number))
    }
}

/// Rows under a head.
pub struct Table {
    head: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub const fn new(head: Vec<(&'static str, Align)>) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// Adds a row, a cell for each column.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, the head first.
    pub fn render(&self, paint: Paint) -> String {
        let head = self.head.iter().map(|(title, _)| Cell::coloured(title, Some(Colour::Bold)));
        let rows: Vec<Vec<&Cell>> = self.rows.iter().map(|row| row.iter().collect()).collect();
        let head: Vec<Cell> = head.collect();
        let all: Vec<Vec<&Cell>> = std::iter::once(head.iter().collect()).chain(rows).collect();
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| all.iter().filter_map(|row| Some(row.get(column)?.text.width())).max().unwrap_or(0))
            .collect();
        let lines = all.iter().map(|row| {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.head) {
                let space = " ".repeat(width.saturating_sub(cell.text.width()));
                let text =
                    cell.colour.map_or_else(|| cell.text.clone(), |colour| paint.colour(colour, &cell.text));
                let between = if line.is_empty() { "" } else { "  " };
                match align {
                    Align::Left => line.push_str(&format!("{between}{text}{space}")),
                    Align::Right => line.push_str(&format!("{between}{space}{text}")),
                }
            }
            line.trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && digits.len().saturating_sub(place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_is_shown() {
        let mut table = Table::new(vec![("NAME", Align::Left), ("N", Align::Right), ("END", Align::Left)]);
        table.row(["漢字".into(), 1_234_567_u64.into(), "x".into()]);
        table.row(["e\u{301}a\u{1b}".into(), 7_u64.into(), "".into()]);
        let lines = "NAME          N  END\n漢字  1,234,567  x\ne\u{301}a            7";
        assert_eq!(table.render(Paint::none()), lines);
    }

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), text);
        }
    }
}
