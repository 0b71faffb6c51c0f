//! Files that people name on the command line.

use std::path::Path;

use dataset::Format;

/// The format of a file with rows: by its ending, and by its first bytes where that says nothing.
pub(crate) fn format_of(path: &Path, bytes: &[u8]) -> Format {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "parquet" | "pq" => Format::Parquet,
        "json" => Format::Json,
        "csv" => Format::Csv,
        _ if bytes.starts_with(b"PAR1") => Format::Parquet,
        _ if bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"[{".contains(byte)) => {
            Format::Json
        }
        _ => Format::Csv,
    }
}
