//! Child processes and calls to them; all bounded in time.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::world::World;

/// Longest time for a process to say where it listens.
const START: Duration = Duration::from_secs(60);
/// Longest time for a turn, on a machine that does much else.
const TURN: Duration = Duration::from_secs(240);
/// Longest time for a process to end after SIGTERM; it gives itself 26 s.
const END: Duration = Duration::from_secs(40);
/// Longest time for one answer.
const ANSWER: Duration = Duration::from_secs(120);

/// The executable under test: `EBB_TEST_EXE`, or the one of this build, brought up to date first.
pub(crate) fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(|| match std::env::var_os("EBB_TEST_EXE") {
        Some(path) => path.into(),
        None => build(),
    })
}

/// Builds `ebb` in the profile and the target folder of this test.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("a test lies in TARGET/PROFILE/deps");
    let target = profile.parent().expect("a profile's folder lies in the target folder");
    let name = profile.file_name().unwrap().to_str().unwrap();
    let name = if name == "debug" { "dev" } else { name };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = std::process::Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--locked",
            // With the tests beside it, the binary is built from the same features as they are: nothing is built twice.
            "--workspace",
            "--tests",
            "--bin",
            "ebb",
            "--profile",
            name,
            "--target-dir",
        ])
        .arg(target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .unwrap();
    assert!(built.success(), "`ebb` does not build");
    profile.join(format!("ebb{}", std::env::consts::EXE_SUFFIX))
}

/// `ebb` with no environment but what a test gives it; it ends with its handle.
fn command() -> Command {
    let mut command = Command::new(executable());
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// A process that serves.
pub(crate) struct Server {
    child: Child,
    /// Where it answers.
    pub(crate) url: String,
    lines: Arc<Mutex<Vec<String>>>,
    http: reqwest::Client,
}

impl Server {
    /// Starts `command` and waits until one of its lines has an address, by `address_in`.
    async fn start(mut command: Command, address_in: fn(&str) -> Option<String>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, mut receiver) = mpsc::unbounded_channel();
        collect(child.stdout.take().unwrap(), &lines, sender.clone());
        collect(child.stderr.take().unwrap(), &lines, sender);
        let found = timeout(START, async {
            loop {
                let line: String = receiver.recv().await?;
                if let Some(address) = address_in(&line) {
                    return Some(address);
                }
            }
        });
        let url = found.await.ok().flatten();
        let url = url.unwrap_or_else(|| panic!("{command:?} does not listen: {:#?}", lines.lock().unwrap()));
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER).build().unwrap();
        Self { child, url, lines, http }
    }

    /// The port of its address.
    pub(crate) fn port(&self) -> u16 {
        self.url.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// What it has written so far, a line each.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// SIGKILL; returns when the process is gone.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM, without waiting.
    pub(crate) async fn ask_to_end(&self) {
        let id = self.child.id().expect("the process runs").to_string();
        let signalled = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(signalled.success());
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> ExitStatus {
        timeout(END, self.child.wait()).await.expect("the process ends in time").unwrap()
    }

    /// A request to one of its routes, for what the shorter calls leave out.
    pub(crate) fn request(&self, method: reqwest::Method, route: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{route}", self.url))
    }

    pub(crate) async fn post(&self, route: &str, body: &Value) -> Answer {
        Answer::of(self.request(reqwest::Method::POST, route).json(body)).await
    }

    pub(crate) async fn get(&self, route: &str) -> Answer {
        Answer::of(self.request(reqwest::Method::GET, route)).await
    }
}

/// Keeps the lines of a stream, and hands them on.
fn collect(
    stream: impl AsyncRead + Unpin + Send + 'static,
    lines: &Arc<Mutex<Vec<String>>>,
    sender: mpsc::UnboundedSender<String>,
) {
    let (lines, mut reader) = (Arc::clone(lines), BufReader::new(stream).lines());
    tokio::spawn(async move {
        while let Ok(Some(line)) = reader.next_line().await {
            lines.lock().unwrap().push(line.clone());
            // Nobody listens once the address is known.
            let _ = sender.send(line);
        }
    });
}

/// `ebb source` with these arguments, on a free port.
pub(crate) async fn source(arguments: &[&str]) -> Server {
    let mut command = command();
    command.args(["source", "--port", "0"]).args(arguments);
    Server::start(command, |line| line.starts_with("http://").then(|| line.to_owned())).await
}

/// The number of the batch that a source's first group gets next.
pub(crate) async fn next_batch(source: &Server) -> u64 {
    let metrics = source.get("/metrics").await.text;
    let line = metrics.lines().find_map(|line| line.strip_prefix("ebb_source_next_batch{group=\"1\"} "));
    // The line is left out while the source makes a batch.
    line.map_or(0, |number| number.parse().unwrap())
}

/// How `ebb up` is started.
#[derive(Clone, Default)]
pub(crate) struct Up {
    /// Where requests to the spec's source go; specs that differ in the port alone would be different specs.
    pub(crate) source: Option<String>,
    /// Bearer token.
    pub(crate) token: Option<&'static str>,
    /// Address to bind; loopback unless given.
    pub(crate) host: Option<&'static str>,
    /// Port; a free one unless given.
    pub(crate) port: u16,
}

impl Up {
    /// All functions, with batches from `source`.
    pub(crate) fn with_source(source: &Server) -> Self {
        Self { source: Some(source.url.clone()), ..Self::default() }
    }

    /// `ebb up` over a world's store and specs.
    pub(crate) async fn start(&self, world: &World) -> Server {
        let mut command = command();
        command
            .args(["up", "--host", self.host.unwrap_or("127.0.0.1"), "--port", &self.port.to_string()])
            .arg("--store")
            .arg(world.store())
            .arg("--models")
            .arg(world.models())
            .envs([("EBB_LEASE_TTL_S", "3"), ("no_proxy", "127.0.0.1,localhost")])
            .envs(self.source.iter().map(|url| ("http_proxy", url)))
            .envs(self.token.iter().map(|token| ("EBB_TOKEN", token)));
        let mut server = Server::start(command, |line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == "listening").then(|| line["url"].as_str().map(str::to_owned))?
        })
        .await;
        server.url = server.url.replace("0.0.0.0", "127.0.0.1");
        server
    }
}

/// `ebb run MODEL --json`, one turn.
pub(crate) fn client(world: &World, server: &Server, model: &str, token: Option<&str>) -> Child {
    let mut command = command();
    command.args(["run", model, "--json", "--url", &server.url, "--store"]).arg(world.store());
    command.envs(token.iter().map(|token| ("EBB_TOKEN", token)));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The outcome of a client's turn, or what it said on standard error.
pub(crate) async fn outcome(client: Child) -> Result<Value, String> {
    let output = timeout(TURN, client.wait_with_output()).await.expect("a turn ends in time").unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Plays one turn to its end.
pub(crate) async fn turn(world: &World, server: &Server, model: &str) -> Value {
    match outcome(client(world, server, model, None)).await {
        Ok(outcome) => outcome,
        Err(error) => panic!("the turn stopped: {error}\n{:#?}", server.log()),
    }
}

/// `ebb new` with these arguments; what it says on standard error, or that as an error.
pub(crate) async fn new_spec(arguments: &[&str]) -> Result<String, String> {
    let output = timeout(TURN, command().arg("new").args(arguments).output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// `ebb` with these arguments, which ends by itself: what it says on standard output and on standard error, or the latter
/// as an error.
pub(crate) async fn measured(arguments: &[&str]) -> Result<(String, String), String> {
    let output = timeout(TURN, command().args(arguments).output()).await.unwrap().unwrap();
    let [out, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if output.status.success() { Ok((out, said)) } else { Err(said) }
}

/// `ebb explain` with these arguments over a world's store, as [`measured`].
pub(crate) async fn explained(world: &World, arguments: &[&str]) -> Result<(String, String), String> {
    let [store, models] = [world.store(), world.models()].map(|path| path.to_string_lossy().into_owned());
    let over = ["--store", &*store, "--models", &*models];
    measured(&[&["explain"], arguments, &over].concat()).await
}

/// What a route answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) text: String,
    /// The text as JSON; null where it is none.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        match Self::try_of(request).await {
            Ok(answer) => answer,
            Err(error) => panic!("no answer: {error:?}"),
        }
    }

    pub(crate) async fn try_of(request: reqwest::RequestBuilder) -> Result<Self, reqwest::Error> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let header = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        let content_type = header.unwrap_or_default().to_owned();
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Self { status, content_type, text, body })
    }

    /// Asserts that this is a problem document of `status` and `kind` that shows nothing of the inside.
    pub(crate) fn assert_problem(&self, name: &str, world: &World, status: u16, kind: &str) {
        assert_eq!(
            (self.status, self.content_type.as_str()),
            (status, "application/problem+json"),
            "{name}: {}",
            self.text
        );
        assert_eq!(self.body["status"], status, "{name}: {}", self.text);
        assert_eq!(self.body["type"], kind, "{name}: {}", self.text);
        for member in ["title", "detail", "instance"] {
            assert!(
                self.body[member].as_str().is_some_and(|text| !text.is_empty()),
                "{name}: {member} in {}",
                self.text
            );
        }
        let folder = world.folder().to_str().unwrap();
        for inside in [folder, ".rs:", "/src/", "panicked", "thread '", "models/", "os error"] {
            assert!(!self.text.contains(inside), "{name}: `{inside}` in {}", self.text);
        }
    }

    /// The JSON pointers of the problem's errors.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        self.body["errors"].as_array().into_iter().flatten().filter_map(|error| error["pointer"].as_str()).collect()
    }
}
