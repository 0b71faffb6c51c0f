//! A card as one page.

use maud::{Markup, html};

use super::chart::chart;
use super::{Block, Card, Table};

const STYLE: &str = "
.index { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin-top: .5rem; font-size: .95rem; }
.index a { color: var(--note); }
caption { text-align: left; color: var(--dim); padding: .25rem 0; }
.scroll { margin: .75rem 0; }
table { width: auto; min-width: min(100%, 28rem); }
td.words { white-space: normal; min-width: 8rem; max-width: 36rem; overflow-wrap: anywhere; }
.cards { margin: .75rem 0; }
.card ul { list-style: none; padding: 0; margin: .5rem 0 0; display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .85rem; }
svg .axis { stroke: var(--line); fill: none; } svg .ideal { stroke: var(--dim); stroke-dasharray: 4 4; }
svg polyline { fill: none; stroke-width: 2; } svg .quiet { fill: var(--dim); font-size: 10px; }
.s0 { stroke: var(--note); } .s1 { stroke: var(--second); } .s2 { stroke: var(--calm); } .s3 { stroke: var(--wait); }
circle.s0, rect.s0 { fill: var(--note); } circle.s1 { fill: var(--second); } circle.s2 { fill: var(--calm); }
circle.s3 { fill: var(--wait); }
.key.s0 { background: var(--note); } .key.s1 { background: var(--second); } .key.s2 { background: var(--calm); }
.key.s3 { background: var(--wait); } line.spread { stroke: var(--ink); }
";

/// The card, with a list of its sections on top.
pub(super) fn render(card: &Card) -> String {
    let content = html! {
        header {
            h1 { (card.title) }
            p.note { (card.summary) }
            nav.index aria-label="Sections" {
                @for section in &card.sections { a href={ "#" (anchor(section.heading)) } { (section.heading) } }
            }
        }
        @for section in &card.sections {
            section id=(anchor(section.heading)) {
                h2 { (section.heading) }
                @for block in &section.blocks { (rendered(block)) }
            }
        }
    };
    page::document(&card.title, STYLE, &content)
}

fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

fn rendered(block: &Block) -> Markup {
    html! {
        @match block {
            Block::Text(paragraph) => p { (paragraph) },
            Block::List(items) => ul { @for item in items { li { (item) } } },
            Block::Table(table) => (rendered_table(table)),
            Block::Charts(charts) => {
                div.cards { @for of_card in charts { article.card { (chart(of_card)) } } }
            }
        }
    }
}

fn rendered_table(table: &Table) -> Markup {
    let n_words = table.words.len();
    html! {
        div.scroll tabindex="0" {
            table {
                caption { (table.caption) }
                thead {
                    tr {
                        @for head in &table.words { th scope="col" { (head) } }
                        @for head in &table.figures { th.number scope="col" { (head) } }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (column, cell) in row.iter().enumerate() {
                                @if column == 0 { th scope="row" { (cell) } }
                                @else if column < n_words { td.words { (cell) } }
                                @else { td.number { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
