use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, WriteMultipart};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{BoxError, Clock, Error, Result};

/// Bodies up to this size are stored in one request, larger ones part by part; S3 wants parts of at least 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// How many parts of one body are under way at once.
const PARTS_AT_ONCE: usize = 4;

/// A place that keeps objects by path: a folder, this process's memory, or an S3 bucket.
///
/// Paths are relative, such as `models/car-vision/spec.yaml`: segments divided by `/`, none of them empty, `.` or `..`.
/// Cloning is cheap and gives the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    clock: Clock,
}

/// One object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object's path in the store.
    pub path: String,
    /// The object's size in bytes.
    pub size: u64,
    /// When the backend says it was written.
    pub modified: DateTime<Utc>,
}

impl Entry {
    /// The last segment of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl Store {
    /// Opens the store at `location`, creating the folder of a file store.
    ///
    /// `location` is a path (`./.ebb`), `file:///path`, `memory://` or `s3://bucket/prefix`. For S3, `options` are keys
    /// like the AWS command line's variables, in any case (`AWS_ENDPOINT`, `AWS_ACCESS_KEY_ID`, `AWS_REGION`, ...); keys
    /// that mean nothing to the store are ignored, so that a whole environment may be passed. For a folder,
    /// `fsync=false` answers before the data is on the disk.
    ///
    /// # Errors
    /// [`Error::Location`] when the location or an option is wrong, [`Error::Open`] when the backend refuses.
    pub fn open(location: &str, options: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        Ok(Self::over(crate::open::open(location, options)?))
    }

    /// A new, empty store in this process's memory.
    pub fn memory() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    /// A store over a backend that was opened elsewhere; it must honour put-if-absent.
    pub fn over(inner: Arc<dyn ObjectStore>) -> Self {
        Self { inner, clock: Clock::system() }
    }

    /// The same store, dated by `clock`.
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The clock that leases and records are dated by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The object at `path`.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn get(&self, path: &str) -> Result<Bytes> {
        let location = location(path)?;
        let result = match self.inner.get(&location).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        result.map_err(|source| backend("get", path, source))
    }

    /// The object at `path`, if there is one.
    pub async fn try_get(&self, path: &str) -> Result<Option<Bytes>> {
        match self.get(path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The JSON object at `path`.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, [`Error::Decode`] when it is not a `T`.
    pub async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        decode(path, &self.get(path).await?)
    }

    /// The JSON object at `path`, if there is one.
    pub async fn try_get_json<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        self.try_get(path).await?.map(|bytes| decode(path, &bytes)).transpose()
    }

    /// Stores `body` at `path`, over what may be there. Readers see the old object or the new one, never a part.
    pub async fn put(&self, path: &str, body: impl Into<Bytes>) -> Result<()> {
        let location = location(path)?;
        let body: Bytes = body.into();
        self.inner.put(&location, body.into()).await.map(drop).map_err(|source| backend("put", path, source))
    }

    /// Stores `body` at `path` unless something is there already: true when this call created the object.
    ///
    /// Of many concurrent calls exactly one creates. A client that lost the answer to its first attempt tries again and
    /// may then be told `false` by its own object: [`Store::put_once`] and [`Sequence`](crate::Sequence) see through it.
    pub async fn put_new(&self, path: &str, body: impl Into<Bytes>) -> Result<bool> {
        let location = location(path)?;
        let body: Bytes = body.into();
        match self.inner.put_opts(&location, body.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(source) => Err(backend("put new", path, source)),
        }
    }

    /// Stores `body` at `path` unless another body is there: true when what is stored there now is `body`.
    ///
    /// Two writers of equal bytes are both told true; put something unique into the body where only one may win.
    pub async fn put_once(&self, path: &str, body: impl Into<Bytes>) -> Result<bool> {
        let body: Bytes = body.into();
        if self.put_new(path, body.clone()).await? {
            return Ok(true);
        }
        Ok(self.try_get(path).await?.is_some_and(|stored| stored == body))
    }

    /// Stores `value` as JSON at `path`, over what may be there.
    pub async fn put_json<T: Serialize + ?Sized>(&self, path: &str, value: &T) -> Result<()> {
        self.put(path, encode(path, value)?).await
    }

    /// Stores `value` as JSON at `path` unless something is there already: true when this call created the object.
    pub async fn put_json_new<T: Serialize + ?Sized>(&self, path: &str, value: &T) -> Result<bool> {
        self.put_new(path, encode(path, value)?).await
    }

    /// Stores a body of unknown length at `path`, over what may be there, and returns its size in bytes.
    ///
    /// At most 40 MiB of it are in memory at once. The object appears only when the body is complete.
    ///
    /// # Errors
    /// [`Error::Body`] when the stream fails: nothing is stored then.
    pub async fn put_stream<S, E>(&self, path: &str, body: S) -> Result<u64>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Into<BoxError>,
    {
        let location = location(path)?;
        let mut body = std::pin::pin!(body);
        let mut head: Vec<Bytes> = Vec::new();
        let mut size = 0;
        while size < PART_BYTES {
            let Some(chunk) = body.next().await.transpose().map_err(|source| broken(path, source))? else {
                let whole = object_store::PutPayload::from_iter(head);
                self.inner.put(&location, whole).await.map_err(|source| backend("put", path, source))?;
                return Ok(size as u64);
            };
            size += chunk.len();
            head.push(chunk);
        }
        let upload = self.inner.put_multipart(&location).await.map_err(|source| backend("put", path, source))?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
        for chunk in head {
            upload.put(chunk);
        }
        let streamed: Result<()> = async {
            while let Some(chunk) = body.next().await.transpose().map_err(|source| broken(path, source))? {
                upload.wait_for_capacity(PARTS_AT_ONCE).await.map_err(|source| backend("put part of", path, source))?;
                size += chunk.len();
                upload.put(chunk);
            }
            Ok(())
        }
        .await;
        if let Err(error) = streamed {
            if let Err(abort) = upload.abort().await {
                tracing::warn!(path, error = %abort, "an upload that failed could not be aborted");
            }
            return Err(error);
        }
        upload.finish().await.map_err(|source| backend("put", path, source))?;
        Ok(size as u64)
    }

    /// Moves the object at `from` to `to`, over what may be there.
    ///
    /// It is there whole at `to` before it is gone from `from`; S3 does this as a copy and a deletion.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is nothing at `from`.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (source, target) = (location(from)?, location(to)?);
        self.inner.rename(&source, &target).await.map_err(|source| backend("rename", from, source))
    }

    /// Every object in the folder `prefix` and the folders below it, in the order of their paths; `""` is the whole store.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Entry>> {
        let folder = location(prefix)?;
        let stream = self.inner.list(Some(&folder));
        collect(prefix, stream).await
    }

    /// Every object in the folder `prefix` whose path comes after the path `offset`, in the order of their paths.
    pub async fn list_after(&self, prefix: &str, offset: &str) -> Result<Vec<Entry>> {
        let (folder, offset) = (location(prefix)?, location(offset)?);
        let stream = self.inner.list_with_offset(Some(&folder), &offset);
        collect(prefix, stream).await
    }

    /// The names of the folders directly in the folder `prefix`, in order.
    ///
    /// On a file system this includes folders whose objects were all deleted.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>> {
        let folder = location(prefix)?;
        let listing = self
            .inner
            .list_with_delimiter(Some(&folder))
            .await
            .map_err(|source| backend("list the folders of", prefix, source))?;
        let mut names: Vec<String> =
            listing.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }

    /// Deletes the object at `path`; it is no error when there is none.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let location = location(path)?;
        match self.inner.delete(&location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(backend("delete", path, source)),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.inner)
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

pub(crate) fn encode<T: Serialize + ?Sized>(path: &str, value: &T) -> Result<Bytes> {
    match serde_json::to_vec(value) {
        Ok(json) => Ok(json.into()),
        Err(source) => Err(Error::Encode { path: path.to_owned(), source }),
    }
}

pub(crate) fn decode<T: DeserializeOwned>(path: &str, json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|source| Error::Decode { path: path.to_owned(), source })
}

async fn collect(
    prefix: &str,
    stream: impl Stream<Item = object_store::Result<object_store::ObjectMeta>>,
) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = stream
        .map_ok(|meta| Entry { path: meta.location.into(), size: meta.size, modified: meta.last_modified })
        .try_collect()
        .await
        .map_err(|source| backend("list", prefix, source))?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn location(path: &str) -> Result<Path> {
    Path::parse(path).map_err(|source| Error::Path { path: path.to_owned(), source })
}

fn backend(operation: &'static str, path: &str, source: object_store::Error) -> Error {
    match source {
        object_store::Error::NotFound { .. } => Error::NotFound { path: path.to_owned() },
        source => Error::Backend { operation, path: path.to_owned(), source },
    }
}

fn broken(path: &str, source: impl Into<BoxError>) -> Error {
    Error::Body { path: path.to_owned(), source: source.into() }
}
