//! Cards: what a person should read about a version, made from its evidence and never written by hand.
//!
//! A card is built once, as sections of paragraphs, tables and charts, and rendered twice from that: as Markdown for
//! repositories and tracking servers, and as one HTML page for a browser. So both say the same. Charts are in the page alone;
//! each stands beside a table of its figures.
//!
//! Names, levels and descriptions come from data and specs: either rendering escapes all of them.

mod chart;
mod data_card;
mod html;
mod markdown;
mod measured;
mod model_card;
#[cfg(test)]
mod tests;

pub use data_card::data_card;
pub use model_card::model_card;

use chart::Chart;

/// A card, ready to be rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    title: String,
    /// What the card is about, in a sentence.
    summary: String,
    sections: Vec<Section>,
}

impl Card {
    /// The card as CommonMark with tables. Ends with a line break.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// The card as one HTML page without scripts or further files.
    pub fn html(&self) -> String {
        html::render(self)
    }
}

/// A part of a card under a heading of its own.
#[derive(Clone, Debug, PartialEq)]
struct Section {
    heading: &'static str,
    blocks: Vec<Block>,
}

impl Section {
    fn new(heading: &'static str) -> Self {
        Self { heading, blocks: Vec::new() }
    }

    fn text(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Text(text.into()));
        self
    }

    /// A list, unless it is empty.
    fn list(mut self, items: Vec<String>) -> Self {
        if !items.is_empty() {
            self.blocks.push(Block::List(items));
        }
        self
    }

    /// A table, unless it has no rows.
    fn table(mut self, table: Table) -> Self {
        if !table.rows.is_empty() {
            self.blocks.push(Block::Table(table));
        }
        self
    }

    fn charts(mut self, charts: Vec<Chart>) -> Self {
        let charts: Vec<Chart> = charts.into_iter().filter(|chart| !chart.is_empty()).collect();
        if !charts.is_empty() {
            self.blocks.push(Block::Charts(charts));
        }
        self
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Block {
    Text(String),
    List(Vec<String>),
    Table(Table),
    Charts(Vec<Chart>),
}

/// A table: columns of words, then columns of figures.
#[derive(Clone, Debug, PartialEq)]
struct Table {
    caption: String,
    words: Vec<String>,
    figures: Vec<String>,
    /// As many cells each as there are columns.
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(caption: impl Into<String>, words: &[&str], figures: &[&str]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self { caption: caption.into(), words: owned(words), figures: owned(figures), rows: Vec::new() }
    }

    fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.words.len() + self.figures.len(), "a row has a cell for each column");
        self.rows.push(cells);
    }
}
