//! Scalars, comments and numbers as YAML has them.

/// A scalar, plain where no reader can take it for anything but this text, else in double quotes.
pub(super) fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // Control characters, line separators and marks that YAML does not take as they are.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Words of letters, digits, underscores, dots and dashes that start with a letter and are no word of YAML's own.
fn is_plain(text: &str) -> bool {
    // YAML 1.1 readers take these for booleans or null.
    const WORDS: [&str; 12] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(' ')
        && !text.contains("  ")
        && text.len() <= 200
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-. ,%".contains(c))
        && !text.contains(',')
        && !WORDS.contains(&text.to_lowercase().as_str())
}

/// A line with a comment behind it, where there is one.
pub(super) fn commented(line: &str, comment: &str) -> String {
    if comment.is_empty() { line.to_owned() } else { format!("{line} # {comment}") }
}

/// A text short enough for a comment, on one line.
pub(super) fn shortened(text: &str) -> String {
    let line: String =
        text.chars().map(|c| if c.is_control() || "\u{2028}\u{2029}\u{85}".contains(c) { ' ' } else { c }).collect();
    if line.chars().count() <= 40 { line } else { line.chars().take(37).chain("...".chars()).collect() }
}

/// A count with commas between thousands.
pub(super) fn counted(n: usize) -> String {
    page::text::count(n as u64)
}

/// A number in at most six significant digits, for a comment.
pub(super) fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value}");
    }
    let decimals = (5 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A share in per cent.
pub(super) fn percent(part: usize, whole: usize) -> String {
    let share = 100.0 * part as f64 / whole.max(1) as f64;
    if share > 0.0 && share < 1.0 { format!("{share:.2} %") } else { format!("{share:.0} %") }
}
