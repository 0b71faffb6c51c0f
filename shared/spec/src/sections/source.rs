//! Where batches come from.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where batches come from: exactly one of `http` and `files`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// An HTTP endpoint that answers the next batch on every read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSource>,
    /// A folder whose files are batches, in order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesSource>,
    /// The source's name of a column: our name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub rename: IndexMap<String, String>,
}

/// An HTTP endpoint that answers the next batch on every read, as JSON with `batch_number` and `data`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSource {
    /// Address of the next batch.
    pub url: String,
    /// Address, relative to `url`, that starts the sequence again. With it a lost batch can be healed by replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// How the source says that no batch is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted: Option<Exhausted>,
    /// Longest time for one read, in seconds.
    #[serde(default = "default_source_timeout_s")]
    #[schemars(range(min = 1))]
    pub timeout_s: u64,
}

/// How a source says that no batch is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exhausted {
    /// The HTTP status it answers then.
    pub status: u16,
    /// A regular expression that the body matches then. Absent: the status alone decides.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// A folder whose files are batches, in order of their names. Files may be archived once they have landed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesSource {
    /// Folder: a path, `file://` or `s3://`.
    pub url: String,
    /// What the files hold.
    pub format: Format,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// A JSON array of objects, or an object with `data` and `batch_number`.
    Json,
}

fn default_source_timeout_s() -> u64 {
    300
}
