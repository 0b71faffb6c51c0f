//! Figures as people read them in a sentence.

/// A whole number with commas between thousands: `18,910`.
pub(crate) fn count(number: usize) -> String {
    page::text::count(number as u64)
}

/// A metric: four decimals where it is small, fewer where it is large.
pub(crate) fn figure(number: f64) -> String {
    let size = number.abs();
    if size >= 1e6 || (size > 0.0 && size < 1e-3) {
        return format!("{number:.2e}");
    }
    if size >= 1_000.0 {
        let sign = if number < 0.0 { "-" } else { "" };
        return format!("{sign}{}", count(size.round() as usize));
    }
    if size >= 10.0 { format!("{number:.2}") } else { format!("{number:.4}") }
}

/// A share as a percentage with at most one decimal: `95 %`, `4.9 %`.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([count(0), count(910), count(18_910), count(1_018_910)], ["0", "910", "18,910", "1,018,910"]);
        assert_eq!(figure(0.230_96), "0.2310");
        assert_eq!([figure(-12.345), figure(18_910.4), figure(-1_500.0)], ["-12.35", "18,910", "-1,500"]);
        assert_eq!([figure(0.0), figure(0.000_012), figure(2.5e7)], ["0.0000", "1.20e-5", "2.50e7"]);
        assert_eq!(
            [percent(0.95), percent(0.049), percent(-0.1), percent(0.999)],
            ["95 %", "4.9 %", "-10 %", "99.9 %"]
        );
    }
}
