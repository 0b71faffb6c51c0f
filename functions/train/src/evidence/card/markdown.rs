//! A card as CommonMark.

use super::{Block, Card, Table};

/// The card, one line to a paragraph.
pub(super) fn render(card: &Card) -> String {
    let mut text = format!("# {}\n\n{}\n", escaped(&card.title), escaped(&card.summary));
    for section in &card.sections {
        text.push_str(&format!("\n## {}\n", escaped(section.heading)));
        for block in &section.blocks {
            match block {
                Block::Text(paragraph) => text.push_str(&format!("\n{}\n", escaped(paragraph))),
                Block::List(items) => {
                    text.push('\n');
                    items.iter().for_each(|item| text.push_str(&format!("- {}\n", escaped(item))));
                }
                Block::Table(table) => text.push_str(&format!("\n{}", rendered(table))),
                Block::Charts(_) => {}
            }
        }
    }
    text
}

fn rendered(table: &Table) -> String {
    let line = |cells: &mut dyn Iterator<Item = String>| format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "));
    let heads = table.words.iter().chain(&table.figures);
    let rules = table.words.iter().map(|_| "---").chain(table.figures.iter().map(|_| "--:"));
    let mut text = format!("{}:\n\n", escaped(&table.caption));
    text.push_str(&line(&mut heads.map(|head| escaped(head))));
    text.push_str(&line(&mut rules.map(str::to_owned)));
    for row in &table.rows {
        text.push_str(&line(&mut row.iter().map(|cell| escaped(cell))));
    }
    text
}

/// Text that means nothing to Markdown: on one line, every mark behind a backslash.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let characters: Vec<char> = text.chars().collect();
    for (place, character) in characters.iter().enumerate() {
        let is_inside = |place: Option<usize>| {
            place.and_then(|place| characters.get(place)).is_some_and(|character| character.is_alphanumeric())
        };
        match character {
            // Within a word, an underscore is one.
            '_' if is_inside(place.checked_sub(1)) && is_inside(Some(place + 1)) => escaped.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' | '$' => {
                escaped.extend(['\\', *character]);
            }
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(*character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_text() {
        let cases = [
            ("house_size", "house_size"),
            ("_odd_", "\\_odd\\_"),
            ("<b>a|b</b>", "\\<b\\>a\\|b\\</b\\>"),
            ("[a](b) `c`", "\\[a\\](b) \\`c\\`"),
            ("a\n# b", "a \\# b"),
            ("&lt; \\ 3 * 4", "\\&lt; \\\\ 3 \\* 4"),
        ];
        for (text, expected) in cases {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn tables_keep_their_columns() {
        let mut table = Table::new("By side", &["side"], &["rows"]);
        table.row(vec!["a|b".to_owned(), "3".to_owned()]);
        assert_eq!(rendered(&table), "By side:\n\n| side | rows |\n| --- | --: |\n| a\\|b | 3 |\n");
    }
}
