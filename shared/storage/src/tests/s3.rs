//! The suite against S3's protocol, signatures included, on a server in this process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::*;
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::RwLock;

use crate::{Sequence, Store, conformance};

/// A bucket on disk whose conditional put is atomic, as S3's is: the server's own looks first and writes later.
struct Server {
    files: FileSystem,
    writes: RwLock<()>,
    /// So many answers to conditional puts get lost after the put was done.
    lost_answers: Arc<AtomicUsize>,
}

/// Passes calls on to the files, one write or many reads at a time.
macro_rules! pass_on {
    ($($lock:ident: $name:ident($input:ty) -> $output:ty;)*) => {
        #[async_trait::async_trait]
        impl S3 for Server {
            $(async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                let _guard = self.writes.$lock().await;
                self.files.$name(request).await
            })*

            async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
                let _guard = self.writes.write().await;
                let conditional = request.input.if_none_match.is_some();
                let answer = self.files.put_object(request).await?;
                let lose = |left: usize| left.checked_sub(1);
                if conditional && self.lost_answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lose).is_ok() {
                    return Err(s3_error!(InternalError, "the answer got lost"));
                }
                Ok(answer)
            }
        }
    };
}

pass_on! {
    read: get_object(GetObjectInput) -> GetObjectOutput;
    read: head_object(HeadObjectInput) -> HeadObjectOutput;
    read: list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    write: copy_object(CopyObjectInput) -> CopyObjectOutput;
    write: delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    write: delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    write: create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    read: upload_part(UploadPartInput) -> UploadPartOutput;
    write: complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    write: abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
}

/// Serves the folder and returns a store in its bucket `ebb`, and the number of answers still to lose.
async fn serve(folder: &Path, location: &str) -> (Store, Arc<AtomicUsize>) {
    std::fs::create_dir_all(folder.join("ebb")).unwrap();
    let lost_answers = Arc::new(AtomicUsize::new(0));
    let files = FileSystem::new(folder).unwrap();
    let server = Server { files, writes: RwLock::new(()), lost_answers: lost_answers.clone() };
    let mut builder = S3ServiceBuilder::new(server);
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service.clone());
            tokio::spawn(connection);
        }
    });
    let options = [
        ("AWS_ENDPOINT", format!("http://{address}")),
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("aws_secret_access_key", "secret".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_EXECUTION_ENV", "means nothing to a store".to_owned()),
    ];
    let options = options.map(|(key, value)| (key.to_owned(), value));
    (Store::open(location, options).unwrap(), lost_answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s3_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = serve(folder.path(), "s3://ebb/some/prefix").await;
    conformance::run(&store).await;
    let (whole, _) = serve(folder.path(), "s3://ebb").await;
    assert_eq!(whole.folders("").await.unwrap(), ["some"], "nothing is written outside the prefix");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lost_answer_does_not_turn_a_winner_into_a_loser() {
    let folder = tempfile::tempdir().unwrap();
    let (store, lost_answers) = serve(folder.path(), "s3://ebb").await;
    lost_answers.store(1, Ordering::SeqCst);
    assert!(!store.put_new("a", "mine").await.unwrap(), "the retry meets the first attempt's object");
    lost_answers.store(1, Ordering::SeqCst);
    assert!(store.put_once("b", "mine").await.unwrap());
    lost_answers.store(1, Ordering::SeqCst);
    assert_eq!(Sequence::new(&store, "s").append("mine").await.unwrap(), 1);
    assert_eq!(Sequence::new(&store, "s").len().await.unwrap(), 1);
}
