//! The styles of every page.

/// The style sheet: one column that widens to a grid, colours of the reader's own light or dark scheme.
pub(crate) fn css() -> &'static str {
    r#"
:root {
  --ground: #f7f8f9; --card: #ffffff; --ink: #1d2733; --quiet: #5a6775; --line: #d9dfe5; --track: #eef1f4;
  --accent: #0b6275; --good: #14653a; --good-ground: #e2f3e9; --bad: #9a2a1c; --bad-ground: #fbe7e3;
  --warn: #7a5200; --warn-ground: #fbf0d6; --plain-ground: #e9edf1; --up: #c2571a; --down: #2a6fb0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12171d; --card: #1a2129; --ink: #e4eaf0; --quiet: #9caab8; --line: #303b47; --track: #242d37;
    --accent: #6cc3d6; --good: #86d6a6; --good-ground: #173524; --bad: #f3a396; --bad-ground: #43201b;
    --warn: #e8c170; --warn-ground: #3b2f14; --plain-ground: #2a343f; --up: #e58a52; --down: #6aa9e3;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
header.top, main { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header.top { display: flex; gap: .75rem; align-items: baseline; padding-top: 1rem; }
.brand { font-weight: 700; font-size: 1.15rem; text-decoration: none; letter-spacing: .02em; }
main { padding-bottom: 4rem; }
a { color: var(--accent); }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 0; }
p { margin: .4rem 0; }
ul { margin: .25rem 0; padding-left: 1.1rem; }
code, .id { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .9em; }
pre { overflow-x: auto; background: var(--track); padding: .75rem; border-radius: .4rem; font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.quiet { color: var(--quiet); font-size: .9rem; }
.nav { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; margin: .25rem 0 1rem; font-size: .95rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem 1.25rem; margin: 0 0 1rem; }
.models { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
.models .card { margin: 0; }
.models dl { column-gap: .75rem; }
.models .quiet { font-size: .85rem; }
.models h2 { margin-bottom: .15rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: .6rem 0 0; }
dt { color: var(--quiet); font-size: .9rem; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.figure { white-space: nowrap; font-variant-numeric: tabular-nums; }
.badge { display: inline-block; padding: 0 .55rem; border-radius: 1rem; font-size: .85rem; font-weight: 600; white-space: nowrap; }
.badge.good { color: var(--good); background: var(--good-ground); }
.badge.bad { color: var(--bad); background: var(--bad-ground); }
.badge.warn { color: var(--warn); background: var(--warn-ground); }
.badge.plain { color: var(--ink); background: var(--plain-ground); }
.notice { border-left: .3rem solid var(--warn); background: var(--warn-ground); padding: .6rem .9rem; border-radius: .3rem; margin: 0 0 1rem; }
.notice.bad { border-color: var(--bad); background: var(--bad-ground); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
table.narrow { width: auto; margin-top: .75rem; }
table.narrow th, table.narrow td { padding-right: 1.75rem; }
caption { text-align: left; color: var(--quiet); font-size: .9rem; padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--quiet); font-weight: 500; font-size: .85rem; white-space: nowrap; }
tbody th { font-weight: 500; }
td.n, th.n { text-align: right; padding-right: 1.25rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
td ul { margin: 0; padding-left: 1rem; }
td.why { min-width: 17rem; }
.decision { padding: .9rem 0; border-top: 1px solid var(--line); }
.decision:first-of-type { border-top: 0; padding-top: 0; }
.decision .head { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: baseline; }
details { margin-top: .5rem; }
summary { cursor: pointer; color: var(--accent); }
details > table, details > .scroll { margin-top: .5rem; }
.fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: .9rem 1.1rem; }
.field label { display: block; font-weight: 500; overflow-wrap: anywhere; }
.field .unit { color: var(--quiet); font-weight: 400; }
.field .hint { color: var(--quiet); font-size: .85rem; }
.field .error { color: var(--bad); font-size: .9rem; font-weight: 500; }
input, select { width: 100%; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--line); border-radius: .35rem; padding: .4rem .5rem; margin-top: .15rem; height: 2.4rem; }
input[aria-invalid], select[aria-invalid] { border-color: var(--bad); }
input:focus-visible, select:focus-visible, button:focus-visible, a:focus-visible, summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
button { font: inherit; font-weight: 600; color: var(--card); background: var(--accent); border: 0; border-radius: .35rem; padding: .5rem 1.2rem; cursor: pointer; }
.actions { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; align-items: center; margin-top: 1.1rem; }
.answer { margin-top: 1.25rem; padding-top: 1.1rem; border-top: 1px solid var(--line); }
.answer .value { font-size: 1.8rem; font-weight: 600; line-height: 1.25; overflow-wrap: anywhere; }
.answer .value small { font-size: 1rem; font-weight: 400; color: var(--quiet); }
.bars { margin-top: .9rem; table-layout: fixed; }
.bars th { width: 34%; overflow-wrap: anywhere; }
.bars th.n, .bars td.n { width: 9.5rem; padding-right: 0; white-space: normal; }
.bars thead td { border-top: 0; }
.bars .given { color: var(--quiet); font-weight: 400; }
.bars tr.total th, .bars tr.total td { font-weight: 600; }
.track { position: relative; height: 1.15rem; margin-top: .2rem; background: var(--track); border-radius: .2rem; }
.bar { position: absolute; top: 0; bottom: 0; min-width: 2px; border-radius: .15rem; background: var(--quiet); }
.bar.up { background: var(--up); }
.bar.down { background: var(--down); }
.base { position: absolute; top: -.2rem; bottom: -.2rem; width: 0; border-left: 1px dashed var(--quiet); }
@media (max-width: 36rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .4rem; }
  .card { padding: .9rem 1rem; }
  header.top, main { padding-left: .9rem; padding-right: .9rem; }
  .bars thead, .stack thead { display: none; }
  .stack, .stack caption, .stack tbody { display: block; }
  .stack tr { display: block; border-top: 1px solid var(--line); padding: .45rem 0; }
  .stack th, .stack td { display: inline-block; border: 0; padding: 0 .75rem 0 0; }
  .stack [data-label]::before { content: attr(data-label) " "; color: var(--quiet); font-weight: 400; }
  .stack td.why { display: block; min-width: 0; }
  .bars tr { display: grid; grid-template-columns: 1fr max-content; border-top: 1px solid var(--line); padding: .35rem 0; }
  .bars th, .bars td, .bars td.n { width: auto; border: 0; padding: 0; }
  .bars td.wide { grid-column: 1 / -1; grid-row: 2; }
}
"#
}
