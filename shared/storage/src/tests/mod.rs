//! The suite on every backend, and what is particular to one.

mod leases;
mod s3;

use std::sync::Arc;

use fault::{Fault, Kind};

use crate::{Error, Store, conformance};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    conformance::run(&Store::memory()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let location = folder.path().join("new/store");
    conformance::run(&Store::open(location.to_str().unwrap(), []).unwrap()).await;
}

#[tokio::test]
async fn a_folder_is_one_store_by_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let by_path = Store::open(path, [("fsync".to_owned(), "false".to_owned())]).unwrap();
    by_path.put("a/b", "body").await.unwrap();
    let by_url = Store::open(&format!("file://{path}"), []).unwrap();
    assert_eq!(by_url.get("a/b").await.unwrap(), "body");
}

#[tokio::test]
async fn each_memory_store_is_its_own() {
    let first = Store::open("memory://", []).unwrap();
    first.put("a", "body").await.unwrap();
    assert_eq!(first.clone().get("a").await.unwrap(), "body");
    assert_eq!(Store::open("memory://", []).unwrap().try_get("a").await.unwrap(), None);
}

#[test]
fn wrong_locations_are_refused() {
    let cases = [
        ("", "the path is empty"),
        ("memory://x", "has no path"),
        ("gs://bucket", "not one of"),
        ("s3://", "the bucket is missing"),
        ("file://host/share", "absolute path"),
    ];
    for (location, reason) in cases {
        let error = Store::open(location, []).unwrap_err();
        assert!(matches!(error, Error::Location { .. }), "{location}: {error:?}");
        assert!(error.to_string().contains(reason), "{location}: {error}");
        assert_eq!(error.kind(), Kind::Invalid);
    }
    let error = Store::open("./x", [("FSYNC".to_owned(), "yes".to_owned())]).unwrap_err();
    assert!(error.to_string().contains("true or false"));
}

#[tokio::test]
async fn errors_name_the_operation_and_the_path() {
    let store = Store::over(Arc::new(Refusing));
    let cases = [
        (store.get("a/b").await.unwrap_err(), "failed to get a/b"),
        (store.put("a/b", "x").await.unwrap_err(), "failed to put a/b"),
        (store.put_new("a/b", "x").await.unwrap_err(), "failed to put new a/b"),
        (store.list("a").await.unwrap_err(), "failed to list a"),
        (store.folders("a").await.unwrap_err(), "failed to list the folders of a"),
    ];
    for (error, message) in cases {
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), Kind::Upstream);
        assert!(fault::chain(&error).contains("out of order"));
    }
}

/// A backend that is down.
#[derive(Debug)]
struct Refusing;

impl std::fmt::Display for Refusing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Refusing")
    }
}

fn down<T>() -> object_store::Result<T> {
    Err(object_store::Error::Generic { store: "Refusing", source: "out of order".into() })
}

#[async_trait::async_trait]
impl object_store::ObjectStore for Refusing {
    async fn put_opts(
        &self,
        _: &object_store::path::Path,
        _: object_store::PutPayload,
        _: object_store::PutOptions,
    ) -> object_store::Result<object_store::PutResult> {
        down()
    }

    async fn put_multipart_opts(
        &self,
        _: &object_store::path::Path,
        _: object_store::PutMultipartOptions,
    ) -> object_store::Result<Box<dyn object_store::MultipartUpload>> {
        down()
    }

    async fn get_opts(
        &self,
        _: &object_store::path::Path,
        _: object_store::GetOptions,
    ) -> object_store::Result<object_store::GetResult> {
        down()
    }

    fn delete_stream(
        &self,
        locations: futures::stream::BoxStream<'static, object_store::Result<object_store::path::Path>>,
    ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::path::Path>> {
        locations
    }

    fn list(
        &self,
        _: Option<&object_store::path::Path>,
    ) -> futures::stream::BoxStream<'static, object_store::Result<object_store::ObjectMeta>> {
        Box::pin(futures::stream::iter([down()]))
    }

    async fn list_with_delimiter(
        &self,
        _: Option<&object_store::path::Path>,
    ) -> object_store::Result<object_store::ListResult> {
        down()
    }

    async fn copy_opts(
        &self,
        _: &object_store::path::Path,
        _: &object_store::path::Path,
        _: object_store::CopyOptions,
    ) -> object_store::Result<()> {
        down()
    }
}
