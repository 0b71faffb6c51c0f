//! `ebb run MODEL`: one turn of the loop, over the same routes that an orchestrator calls.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use registry::{Registry, Turn};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value, json};
use storage::Store;

use crate::client::{self, Client, describe, of_batch};

/// Settings of `ebb run`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Name of the model
    pub model: String,

    /// Where the functions answer
    #[arg(long, env = "EBB_URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,

    /// The store that keeps the turn and its keys: a folder, file:// or s3://bucket/prefix
    #[arg(long, env = "EBB_STORE", default_value = "./.ebb")]
    pub store: String,

    /// Bearer token for the functions
    #[arg(long, env = "EBB_TOKEN", hide_env_values = true)]
    pub token: Option<SecretString>,

    /// Play turns until the source is exhausted
    #[arg(long)]
    pub all: bool,

    /// Print one JSON object a turn: the functions' own answers
    #[arg(long)]
    pub json: bool,
}

/// Why a turn stopped before its end. The next `ebb run` goes on with it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A function could not be called, or refused.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// The turn could not be kept in the store.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// An answer lacks what the next step needs.
    #[error("{route} answered without `{field}`")]
    Incomplete {
        /// The route.
        route: &'static str,
        /// What is missing.
        field: &'static str,
    },
    /// The challenger could not be fitted.
    #[error("the fit failed: {cause}")]
    Fit {
        /// Why.
        cause: String,
    },
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// A challenger was promoted.
    Promoted,
    /// A challenger was refused.
    Refused,
    /// The challenger could not be decided about, such as when production moved while it was made.
    Undecided,
    /// The challenger could not be fitted.
    Failed,
    /// Nothing had drifted.
    Skipped,
    /// The batch is in quarantine.
    Quarantined,
    /// The batch had come before.
    Repeated,
    /// The source has no batch left.
    Exhausted,
}

/// A turn's ending with every function's answer.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// Number of the turn.
    pub turn: u64,
    /// How it ended.
    pub ending: Ending,
    /// The functions' answers, by function.
    #[serde(flatten)]
    pub answers: Map<String, Value>,
}

/// Hears how far a turn is: the function, what it does, and which share of it is done.
pub type Listener<'a> = dyn FnMut(&str, &str, Option<f64>) + Send + 'a;

/// Plays a turn, or as many as there are batches, and prints what was decided and why.
///
/// # Errors
/// Any of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let store = Store::open(&args.store, service::Config::store_options()).map_err(registry::Error::from)?;
    let player = Player::new(&args.url, args.token.clone(), Registry::new(store));
    let mut last = Ending::Exhausted;
    loop {
        let bar = Bar::new();
        let outcome =
            player.turn(&args.model, &mut |function, message, share| bar.tell(function, message, share)).await;
        bar.finish();
        let outcome = outcome?;
        print(&args, &outcome);
        if outcome.ending == Ending::Failed {
            let cause = outcome.answers["train"]["failed"].as_str().unwrap_or_default().to_owned();
            return Err(Error::Fit { cause });
        }
        // A source that never says it is exhausted repeats its last answer; twice in a row is the end of it.
        let repeats = outcome.ending == Ending::Repeated && last == Ending::Repeated;
        if !args.all || outcome.ending == Ending::Exhausted || repeats {
            return Ok(());
        }
        last = outcome.ending;
    }
}

/// Plays turns at one address, and keeps them in one store.
pub struct Player {
    client: Client,
    registry: Registry,
}

impl Player {
    /// A player of turns.
    pub fn new(url: &str, token: Option<SecretString>, registry: Registry) -> Self {
        Self { client: Client::new(url, token), registry }
    }

    /// Plays the unfinished turn of a model, or else a new one. Every step has a key made from the turn's, so that a step
    /// that was done before is answered and not done again.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn turn(&self, model: &str, listener: &mut Listener<'_>) -> Result<Outcome, Error> {
        let turn = self.registry.open_turn(model).await?;
        let outcome = self.steps(model, &turn, listener).await?;
        let record = serde_json::to_value(&outcome).unwrap_or_default();
        self.registry.finish_turn(model, turn.sequence, record).await?;
        Ok(outcome)
    }

    async fn steps(&self, model: &str, turn: &Turn, listener: &mut Listener<'_>) -> Result<Outcome, Error> {
        let mut answers = Map::new();
        let end = |ending, answers| Ok(Outcome { turn: turn.sequence, ending, answers });

        let ingested = self.post("ingest", turn, &json!({"model": model}), listener).await?.body;
        answers.insert("ingest".to_owned(), ingested.clone());
        match ingested["status"].as_str() {
            Some("exhausted") => return end(Ending::Exhausted, answers),
            Some("repeated") => return end(Ending::Repeated, answers),
            _ => {}
        }
        let batch = text(&ingested, "/ingest", "batch")?;

        let checked = self.post("check-drift", turn, &of_batch(model, batch), listener).await?.body;
        answers.insert("check_drift".to_owned(), checked.clone());
        match text(&checked, "/check-drift", "decision")? {
            "skip" => return end(Ending::Skipped, answers),
            "quarantine" => return end(Ending::Quarantined, answers),
            _ => {}
        }

        let trained = match self.train(model, batch, turn, listener).await {
            // The turn ends with it, so that the next one goes on with the next batch and this one in its window.
            Err(Error::Fit { cause }) => {
                answers.insert("train".to_owned(), json!({"failed": cause}));
                return end(Ending::Failed, answers);
            }
            trained => trained?,
        };
        answers.insert("train".to_owned(), trained.clone());

        let request = json!({
            "model": model,
            "version": trained["version"],
            "expected_production": checked["production"],
        });
        let promoted = self.post("promote", turn, &request, listener).await?;
        answers.insert("promote".to_owned(), promoted.body.clone());
        let ending = match promoted.body["promoted"].as_bool() {
            _ if promoted.status == StatusCode::CONFLICT => Ending::Undecided,
            Some(true) => Ending::Promoted,
            _ => Ending::Refused,
        };
        end(ending, answers)
    }

    async fn train(&self, model: &str, batch: &str, turn: &Turn, listener: &mut Listener<'_>) -> Result<Value, Error> {
        let accepted = self.post("train", turn, &of_batch(model, batch), listener).await?.body;
        let job = text(&accepted, "/train", "job")?;
        loop {
            let told = &mut |message: &str, share: Option<f64>| listener("train", message, share);
            let status = self.client.get(&format!("/train/{job}?wait=20"), told).await?.body;
            match status["state"].as_str() {
                Some("done") => break,
                Some("failed") => {
                    let cause = status["message"].as_str().unwrap_or_default().to_owned();
                    return Err(Error::Fit { cause });
                }
                _ => {}
            }
        }
        Ok(self.client.get(&format!("/train/{job}/result"), &mut |_, _| {}).await?.body)
    }

    async fn post(
        &self,
        function: &'static str,
        turn: &Turn,
        body: &Value,
        listener: &mut Listener<'_>,
    ) -> Result<client::Answer, Error> {
        listener(function, "asking", None);
        let told = &mut |message: &str, share: Option<f64>| listener(function, message, share);
        let key = format!("{}-{function}", turn.key);
        Ok(self.client.post(&format!("/{function}"), &key, body, told).await?)
    }
}

fn text<'a>(answer: &'a Value, route: &'static str, field: &'static str) -> Result<&'a str, Error> {
    answer[field].as_str().ok_or(Error::Incomplete { route, field })
}

/// A line of progress on a terminal, and nothing elsewhere.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(1000) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("{prefix:>12} [{bar:30}] {elapsed} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self(bar)
    }

    pub(crate) fn tell(&self, function: &str, message: &str, share: Option<f64>) {
        self.0.set_prefix(function.to_owned());
        self.0.set_message(message.to_owned());
        self.0.set_position(share.map_or(0, |share| (share * 1000.0) as u64));
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn print(args: &Args, outcome: &Outcome) {
    if args.json {
        println!("{}", serde_json::to_string(outcome).unwrap_or_default());
        return;
    }
    for line in lines(outcome) {
        println!("{line}");
    }
}

/// What was decided and why, a line each.
pub(crate) fn lines(outcome: &Outcome) -> Vec<String> {
    let answers = &outcome.answers;
    let get = |function: &str, field: &str| answers.get(function).map_or(&Value::Null, |answer| &answer[field]);
    let mut lines = Vec::new();
    match get("ingest", "batch").as_str() {
        Some(batch) => lines.push(format!(
            "turn {}: batch {batch}, {} rows, {} in quarantine",
            outcome.turn,
            get("ingest", "rows"),
            get("ingest", "quarantined")
        )),
        None => lines.push(format!("turn {}: the source is exhausted", outcome.turn)),
    }
    if let Some(decision) = get("check_drift", "decision").as_str() {
        lines.push(format!("  drift: {decision}"));
        lines.extend(sentences(get("check_drift", "reasons")).map(|reason| format!("    {reason}")));
    }
    if let Some(version) = get("train", "version").as_str() {
        lines.push(format!("  challenger: {}", short(version)));
    }
    lines.extend(get("train", "trial")["reason"].as_str().map(|reason| format!("    {reason}")));
    match outcome.ending {
        Ending::Promoted => lines.push("  promoted".to_owned()),
        Ending::Refused => lines.push("  refused".to_owned()),
        Ending::Undecided => lines.push(format!("  not decided: {}", describe(&answers["promote"]))),
        Ending::Failed => lines.push(format!("  the fit failed: {}", answers["train"]["failed"])),
        Ending::Repeated => lines.push("  the source sent a batch that had come before".to_owned()),
        Ending::Skipped | Ending::Quarantined | Ending::Exhausted => {}
    }
    lines.extend(sentences(get("promote", "reasons")).map(|reason| format!("    {reason}")));
    lines
}

pub(crate) fn sentences(reasons: &Value) -> impl Iterator<Item = &str> {
    reasons.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The first 12 digits of a version's id.
pub(crate) fn short(version: &str) -> &str {
    version.get(..12).unwrap_or(version)
}
