//! A real listener, and its end.

use std::sync::atomic::Ordering;

use service::{Config, serve_on};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::sample::{Sample, app_of};

async fn call(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_request_in_flight_ends_before_the_server_does() {
    let sample = Sample::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let app = app_of(&Config::for_tests(), sample.clone());
    let server = tokio::spawn(serve_on(listener, app, async {
        stopped.await.unwrap();
    }));
    let held = tokio::spawn(call(address, "GET /hold HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
    sample.begun.acquire().await.unwrap().forget();

    stop.send(()).unwrap();
    // The listener closes first; only then may the request end.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(sample.n_done.load(Ordering::SeqCst), 0);
    sample.gate.add_permits(1);

    let answer = held.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("held"), "{answer}");
    server.await.unwrap().unwrap();
    assert_eq!(sample.n_done.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn work_whose_caller_has_gone_ends_before_the_server_does() {
    let sample = Sample::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let app = app_of(&Config::for_tests(), sample.clone());
    let server = tokio::spawn(serve_on(listener, app, async {
        stopped.await.unwrap();
    }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /work HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n";
    stream.write_all(format!("{head}{{\"end\":\"wait\"}}").as_bytes()).await.unwrap();
    sample.begun.acquire().await.unwrap().forget();
    drop(stream);
    stop.send(()).unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    sample.gate.add_permits(1);
    server.await.unwrap().unwrap();
    assert_eq!(sample.n_done.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Config { port, ..Config::for_tests() };
    let error = service::serve(&config, app_of(&config, Sample::default()), async {}).await.unwrap_err();
    assert_eq!(error.to_string(), format!("failed to listen on 127.0.0.1:{port}"));
}
