//! `ebb demo`: the whole loop on simulated and on real data, in one process.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Instant;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, ContentArrangement, Table};
use host::Host;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::run::{Bar, Ending, Outcome, Player, lines, sentences};
use crate::source::{self, Source, System};
use crate::up::{self, Bundle};

/// Port of the simulated source, as `models/real-estate.yaml` names it.
const SIMULATED_PORT: u16 = 8000;

/// Port of the replayed file, as `models/telecom-churn.yaml` names it.
const REPLAYED_PORT: u16 = 8001;

/// Settings of `ebb demo`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Times the row counts of the simulated batches; 1 is 1.08 million rows
    #[arg(long, default_value_t = 0.05)]
    pub scale: f64,

    /// End when everything has been played, instead of serving on
    #[arg(long)]
    pub once: bool,

    /// Port of the functions and the page
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub port: u16,

    /// Folder of the model specs
    #[arg(long, env = "EBB_MODELS", default_value = "./models")]
    pub models: PathBuf,

    /// Folder of the demo's own store; it is emptied first
    #[arg(long, default_value = "./.ebb/demo")]
    pub store: PathBuf,

    /// The real data set that is replayed
    #[arg(long, default_value = "./tests/data/mlc_churn.csv")]
    pub data: PathBuf,
}

/// Why the demo stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The functions could not be served.
    #[error(transparent)]
    Up(#[from] up::Error),
    /// A source could not be made.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// A turn stopped before its end.
    #[error(transparent)]
    Run(#[from] crate::run::Error),
    /// A port is taken.
    #[error("port {port} cannot be had; is another demo or source running?")]
    Port {
        /// The port.
        port: u16,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The demo's store could not be emptied.
    #[error("failed to empty the demo's store {folder}")]
    Store {
        /// The folder.
        folder: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// Plays the six real-estate batches and a real data set, prints what was decided and why, and keeps serving.
///
/// # Errors
/// Any of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let began = Instant::now();
    empty(&args.store)?;
    let config = service::Config {
        store: args.store.to_string_lossy().into_owned(),
        models: args.models.clone(),
        port: args.port,
        log_filter: "warn".to_owned(),
        log_format: service::LogFormat::Text,
        ..service::Config::for_tests()
    };
    let _telemetry = service::telemetry::init(&config, "ebb-demo").map_err(up::Error::from)?;
    let (stop, stopped) = watch::channel(false);
    let simulated = source::Args { system: Some(System::RealEstate), scale: args.scale, ..Default::default() };
    serve_source(&simulated, SIMULATED_PORT, stopped.clone()).await?;
    let replayed = source::Args {
        data: Some(args.data.clone()),
        rows: vec![2000, 1000],
        target: Some("churn".to_owned()),
        drift: drifts(&["flip:number_customer_service_calls<2&international_plan=no:0.35"])?,
        drift_from: 2,
        ..Default::default()
    };
    serve_source(&replayed, REPLAYED_PORT, stopped.clone()).await?;

    let host = Host::open(&config, Vec::new()).map_err(up::Error::from)?;
    let listener = service::bind(&config).await.map_err(up::Error::from)?;
    let address = up::own_address(&listener)?;
    let documented = host.specs().all().await.map_err(up::Error::from)?;
    let bundle = Bundle::new(&host, &address, documented);
    let server = tokio::spawn(service::serve_on(listener, bundle.router.clone(), until(stopped)));

    let player = Player::new(&address, None, host.registry().clone());
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["model", "batch", "rows", "drift", "metric", "new: champion → challenger", "history", "outcome"]);
    for (model, about) in [
        ("real-estate", "simulated: prices, statuses and states move from batch to batch"),
        ("telecom-churn", "real rows; from batch 2 on, labels of one group of customers are flipped on purpose"),
    ] {
        say(&format!("\n{model} ({about})"));
        loop {
            let outcome = turn(&player, model).await?;
            lines(&outcome).iter().for_each(|line| say(line));
            table.add_row(row(model, &outcome));
            if outcome.ending == Ending::Exhausted {
                break;
            }
        }
    }
    say(&format!("\n{table}"));
    say(&format!("\nplayed in {:.1} s", began.elapsed().as_secs_f64()));
    if !args.once {
        say(&format!("the page is at {address}/ and the functions' docs at {address}/docs; stop with Ctrl-C"));
        // Without a signal handler there is no way to stop but to be killed, and then there is nothing to tidy.
        let _ = tokio::signal::ctrl_c().await;
    }
    stop.send_replace(true);
    if let Ok(outcome) = server.await {
        outcome.map_err(up::Error::from)?;
    }
    bundle.drain().await;
    Ok(())
}

async fn turn(player: &Player, model: &str) -> Result<Outcome, Error> {
    let bar = Bar::new();
    let outcome = player.turn(model, &mut |function, message, share| bar.tell(function, message, share)).await;
    bar.finish();
    Ok(outcome?)
}

/// One line of the table.
fn row(model: &str, outcome: &Outcome) -> Vec<Cell> {
    let get = |function: &str, field: &str| outcome.answers.get(function).map_or(&Value::Null, |answer| &answer[field]);
    let evidence = get("promote", "evidence");
    let pair = |side: &Value| match (side["champion"].as_f64(), side["challenger"].as_f64()) {
        (Some(champion), Some(challenger)) => format!("{champion:.4} → {challenger:.4}"),
        (None, Some(challenger)) => format!("{challenger:.4}"),
        _ => String::new(),
    };
    let ending = match outcome.ending {
        Ending::Promoted => "promoted",
        Ending::Refused => "refused",
        Ending::Undecided => "not decided",
        Ending::Failed => "fit failed",
        Ending::Skipped => "nothing to do",
        Ending::Quarantined => "quarantined",
        Ending::Repeated => "repeated",
        Ending::Exhausted => "exhausted",
    };
    let why = sentences(get("promote", "reasons")).next().or(sentences(get("check_drift", "reasons")).next());
    let outcome_text = why.map_or(ending.to_owned(), |why| format!("{ending}: {why}"));
    let plain = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    vec![
        Cell::new(model),
        Cell::new(plain(get("ingest", "batch_number"))),
        Cell::new(plain(get("ingest", "rows"))),
        Cell::new(plain(get("check_drift", "decision"))),
        Cell::new(plain(&evidence["metric"])),
        Cell::new(pair(&evidence["new"])),
        Cell::new(pair(&evidence["history"])),
        Cell::new(outcome_text),
    ]
}

async fn serve_source(args: &source::Args, port: u16, stopped: watch::Receiver<bool>) -> Result<(), Error> {
    let source = Source::build(args)?;
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let listener = TcpListener::bind(address).await.map_err(|source| Error::Port { port, source })?;
    tokio::spawn(async move {
        let served = axum::serve(listener, source::router(source)).with_graceful_shutdown(until(stopped)).await;
        if let Err(error) = served {
            tracing::error!(%error, "a source stopped");
        }
    });
    Ok(())
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // When the sender is gone the demo is over, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn drifts(texts: &[&str]) -> Result<Vec<source::Drift>, source::Error> {
    texts.iter().map(|text| text.parse()).collect()
}

fn empty(folder: &std::path::Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Store { folder: folder.display().to_string(), source: error })
        }
        _ => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn say(line: &str) {
    println!("{line}");
}
