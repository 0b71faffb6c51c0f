//! A folder with a store and specs, for one test.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The host of the source in all specs: a name that only the proxy setting of a test's own processes resolves, so that
/// the specs of all tests are the same bytes and their versions comparable.
pub(crate) const SOURCE: &str = "http://source.test";

/// A temporary folder with a store and specs.
pub(crate) struct World(TempDir);

impl World {
    /// Without specs.
    pub(crate) fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(world.models()).unwrap();
        world
    }

    /// With the project's real-estate spec, which takes its batches from [`SOURCE`] and whose fits are small.
    pub(crate) fn real_estate(min_rows: u64, hidden: u64) -> Self {
        let world = Self::new();
        world.put_spec("real-estate", &real_estate(min_rows, hidden));
        world
    }

    /// With the spec `flats` and these files in its source.
    pub(crate) fn flats(files: &[(&str, &str)]) -> Self {
        let world = Self::new();
        let landing = world.folder().join("landing");
        std::fs::create_dir(&landing).unwrap();
        for (name, text) in files {
            std::fs::write(landing.join(name), text).unwrap();
        }
        let source = format!("source: {{files: {{url: {landing:?}, format: csv}}}}\n");
        world.put_spec("flats", &(flats("flats") + &source));
        world
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }

    pub(crate) fn models(&self) -> PathBuf {
        self.0.path().join("specs")
    }

    pub(crate) fn put_spec(&self, name: &str, text: &str) {
        std::fs::write(self.models().join(format!("{name}.yaml")), text).unwrap();
    }
}

/// The project's real-estate spec, with fits of a second.
pub(crate) fn real_estate(min_rows: u64, hidden: u64) -> String {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/real-estate.yaml")).unwrap();
    let changes = [
        ("    url:", format!("    url: \"{SOURCE}/data?group_number=1&day=Tuesday\"")),
        ("  min_rows:", format!("  min_rows: {min_rows}")),
        (
            "train:",
            format!(
                "train: {{window: auto, seed: 7, budget_s: 120, metric: mae_log, kinds: [coarse], members: 2, hidden: {hidden}}}"
            ),
        ),
    ];
    changes.into_iter().fold(text, |text, (start, line)| with_line(&text, start, Some(&line)))
}

/// The text with the only line that begins with `start` replaced, or left out.
pub(crate) fn with_line(text: &str, start: &str, line: Option<&str>) -> String {
    assert_eq!(text.lines().filter(|old| old.starts_with(start)).count(), 1, "one line begins with `{start}`");
    text.lines()
        .filter_map(|old| if old.starts_with(start) { line } else { Some(old) })
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// A small spec with a column of each kind.
pub(crate) fn flats(name: &str) -> String {
    format!(
        "name: {name}
task: regression
target: {{column: rent, unit: EUR}}
columns:
  size:     {{kind: number, unit: m2, range: [5, 500]}}
  rooms:    {{kind: number, range: [1, 20], nullable: true}}
  district: {{kind: category, allowed: [north, south, west]}}
  balcony:  {{kind: boolean}}
drift: {{min_rows: 50}}
train: {{kinds: [coarse], members: 1, hidden: 8, budget_s: 120}}
"
    )
}

/// `n_rows` rows for [`flats`] as CSV. `shift` is added to every size.
pub(crate) fn flats_csv(n_rows: usize, shift: f64) -> String {
    let mut text = "size,rooms,district,balcony,rent\n".to_owned();
    for row in 0..n_rows {
        // Multiples of irrational numbers spread evenly and never repeat.
        let spread = |step: f64| (row as f64 * step).fract();
        let size = 20.0 + 100.0 * spread(0.618_033_988_749) + shift;
        let rooms = 1 + (size / 25.0) as usize;
        let district = ["north", "south", "west"][(3.0 * spread(0.414_213_562_373)) as usize];
        let balcony = spread(0.732_050_807_568) < 0.5;
        let rent = 200.0 + 9.0 * size + 40.0 * spread(0.236_067_977_499);
        writeln!(text, "{size:.2},{rooms},{district},{balcony},{rent:.2}").unwrap();
    }
    text
}
