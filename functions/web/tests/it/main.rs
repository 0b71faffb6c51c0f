//! The pages as a browser sees them, over made-up records and stub neighbours.

mod fixture;
mod form;
mod pages;

/// Asserts that a page holds these texts, in this order.
fn holds_in_order(page: &str, texts: &[&str]) {
    let mut rest = page;
    for text in texts {
        let Some(at) = rest.find(text) else { panic!("`{text}` is not there, or not in order, in:\n{page}") };
        rest = &rest[at + text.len()..];
    }
}
