#![doc = include_str!("../README.md")]

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub mod text;

/// A whole document of one `main`. `style` is added to the shared styles.
///
/// The title is escaped like every text that `maud` is given; `style` is not, and must not come from outside.
///
/// ```
/// let page = page::document("Rows & <columns>", ".own { color: red; }", &maud::html! { h1 { "Hello" } });
/// assert!(page.contains("<title>Rows &amp; &lt;columns&gt;</title>") && page.contains("<main><h1>Hello</h1></main>"));
/// assert!(page.contains(".own { color: red; }"));
/// ```
pub fn document(title: &str, style: &'static str, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(style)) }
            }
            body { main { (content) } }
        }
    };
    page.into_string()
}

/// One column of text, tables that scroll by themselves, cards in a grid, and the colours of either scheme.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5f6b7a; --paper: #fff; --panel: #f4f6f8; --line: #d9dee4;
  --alarm: #b3261e; --calm: #1b7a4b; --note: #1f5fa8; --wait: #8a6100; --first: #8fa3b8; --second: #d9622b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --dim: #9aa6b4; --paper: #14181d; --panel: #1d232a;
  --line: #333c46; --alarm: #ff8a80; --calm: #6fd6a0; --note: #8ab8f0; --wait: #e6b450; --first: #6f8499;
  --second: #f08a56; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
header { border-bottom: 1px solid var(--line); padding-bottom: 1rem; }
.subject { margin: 0; }
h1 { margin: .1em 0 0; font-size: 2.6rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2rem 0 .5rem; font-size: 1.25rem; } h3 { margin: 0 0 .5rem; font-size: 1rem; overflow-wrap: anywhere; }
.note, .legend { color: var(--dim); font-size: .9rem; margin: .5rem 0; }
code { font: .92em ui-monospace, monospace; background: var(--panel); padding: .05em .3em; border-radius: 3px;
  overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
thead th { color: var(--dim); font-weight: 500; }
tbody th { font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.tag { font-size: .75rem; font-weight: 500; color: var(--dim); margin-left: .4em; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: 1rem; background: var(--panel); }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .4em 0 .8em; border-radius: 2px; }
.key:first-child { margin-left: 0; }
svg { width: 100%; height: auto; display: block; }
svg text { font: 11.5px system-ui, sans-serif; fill: var(--ink); }
";
