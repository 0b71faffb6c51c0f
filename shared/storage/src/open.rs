use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ClientConfigKey, ObjectStore, RetryConfig};
use url::Url;

use crate::{Error, Result};

/// How long the S3 client retries one request before it gives up.
///
/// Shorter than the time-out of a request to a function, so that a caller hears of a dead store from us and not from a
/// proxy.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the S3 client retries one request.
const MAX_RETRIES: usize = 5;
/// How long one S3 request may take, its body included.
const REQUEST_TIMEOUT: &str = "120 seconds";

/// Opens the backend that `location` names.
pub(crate) fn open(
    location: &str,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<Arc<dyn ObjectStore>> {
    let Some((scheme, rest)) = location.split_once("://") else {
        return open_folder(location, FilePath::new(location), options);
    };
    match scheme {
        "memory" if rest.is_empty() || rest == "/" => Ok(Arc::new(InMemory::new())),
        "memory" => Err(wrong(location, "a store in memory has no path; write memory://")),
        "file" => {
            let folder = Url::parse(location)
                .ok()
                .and_then(|url| url.to_file_path().ok())
                .ok_or_else(|| wrong(location, "a file URL has an absolute path, such as file:///var/lib/ebb"))?;
            open_folder(location, &folder, options)
        }
        "s3" | "s3a" => open_s3(location, rest, options),
        _ => Err(wrong(location, "the scheme is not one of file, memory or s3")),
    }
}

fn open_folder(
    location: &str,
    folder: &FilePath,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<Arc<dyn ObjectStore>> {
    if folder.as_os_str().is_empty() {
        return Err(wrong(location, "the path is empty"));
    }
    // A landed batch may exist nowhere else, because its source has moved on; so it must survive a power cut.
    let mut fsync = true;
    for (key, value) in options {
        if key.eq_ignore_ascii_case("fsync") {
            fsync = value.parse().map_err(|_| wrong(location, "the option fsync is true or false"))?;
        }
    }
    std::fs::create_dir_all(folder)
        .map_err(|source| Error::Open { location: location.to_owned(), source: source.into() })?;
    let store = LocalFileSystem::new_with_prefix(folder)
        .map_err(|source| Error::Open { location: location.to_owned(), source: source.into() })?;
    Ok(Arc::new(store.with_fsync(fsync)))
}

fn open_s3(
    location: &str,
    rest: &str,
    options: impl IntoIterator<Item = (String, String)>,
) -> Result<Arc<dyn ObjectStore>> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(wrong(location, "the bucket is missing; write s3://bucket/prefix"));
    }
    let prefix = Path::parse(prefix).map_err(|source| Error::Path { path: prefix.to_owned(), source })?;
    let mut builder = AmazonS3Builder::new()
        .with_retry(RetryConfig { max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT, ..RetryConfig::default() })
        .with_config(AmazonS3ConfigKey::Client(ClientConfigKey::Timeout), REQUEST_TIMEOUT);
    for (key, value) in options {
        // The binary passes every AWS_* variable it was given, and some of those mean nothing to a store.
        let Ok(config_key) = key.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else {
            tracing::debug!(option = key, "this option means nothing to an S3 store");
            continue;
        };
        let is_endpoint = matches!(config_key, AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint);
        if is_endpoint && value.starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
        builder = builder.with_config(config_key, value);
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()
        .map_err(|source| Error::Open { location: location.to_owned(), source: source.into() })?;
    Ok(if prefix.is_root() { Arc::new(store) } else { Arc::new(PrefixStore::new(store, prefix)) })
}

fn wrong(location: &str, reason: &str) -> Error {
    Error::Location { location: location.to_owned(), reason: reason.to_owned() }
}
