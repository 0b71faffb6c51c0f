//! Figures as people read them.

/// What stands where nothing is known.
pub const NONE: &str = "–";

/// A measured number: at least four significant digits, commas between thousands.
pub fn number(number: f64) -> String {
    let size = number.abs();
    let sign = if number < 0.0 { "\u{2212}" } else { "" };
    if !number.is_finite() {
        return NONE.to_owned();
    }
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&size) {
        return format!("{sign}{size:.3e}").replace("e-", "e\u{2212}");
    }
    let magnitude = size.log10().floor() as i32;
    let decimals = usize::try_from(3 - magnitude).unwrap_or(0);
    let digits = format!("{size:.decimals$}");
    let (whole, rest) = digits.split_once('.').unwrap_or((&digits, ""));
    let rest = rest.trim_end_matches('0');
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{rest}", grouped(whole))
}

/// The same with its sign, also where it is a plus.
pub fn signed(value: f64) -> String {
    let plus = if value > 0.0 { "+" } else { "" };
    format!("{plus}{}", number(value))
}

/// How many: commas between thousands.
pub fn count(count: u64) -> String {
    grouped(&count.to_string())
}

/// A share as a percentage, `23.46 %`. One that is neither none nor all is never shown as such.
pub fn percent(share: f64) -> String {
    if share > 0.0 && share < 1e-4 {
        return "< 0.01 %".to_owned();
    }
    if share < 1.0 && share > 0.9999 {
        return "> 99.99 %".to_owned();
    }
    format!("{} %", number(share * 100.0))
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        let rows = [
            (0.0, "0"),
            (-0.0, "0"),
            (3.0, "3"),
            (0.230_961, "0.231"),
            (0.123_456, "0.1235"),
            (-12.345_6, "−12.35"),
            (999.96, "1,000"),
            (1_234.56, "1,235"),
            (-1_234_567.0, "−1,234,567"),
            (0.000_123_44, "0.0001234"),
            (0.000_012_344, "1.234e−5"),
            (2e15, "2.000e15"),
            (f64::NAN, NONE),
        ];
        for (value, text) in rows {
            assert_eq!(number(value), text, "{value}");
        }
        assert_eq!([signed(0.5), signed(-0.5), signed(0.0)], ["+0.5", "−0.5", "0"]);
        assert_eq!([count(0), count(910), count(1_018_910)], ["0", "910", "1,018,910"]);
    }

    #[test]
    fn shares_are_neither_none_nor_all_by_rounding() {
        let rows = [(0.0, "0 %"), (1e-9, "< 0.01 %"), (0.2346, "23.46 %"), (0.999_999, "> 99.99 %"), (1.0, "100 %")];
        for (share, text) in rows {
            assert_eq!(percent(share), text, "{share}");
        }
    }
}
