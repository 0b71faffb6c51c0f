//! What an operator may set, read once at start.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Command, ValueEnum};
use secrecy::{ExposeSecret, SecretString};

/// Settings that every function shares; flatten it into a function's own `clap::Parser`.
///
/// It is parsed once, at the binary's edge. Libraries get values from it and never read the environment.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address to bind. Without a token, mutating routes are answered only when this is a loopback address.
    ///
    /// Variable `HOST`, an IP address or `localhost`, default `127.0.0.1`.
    #[arg(long, env = "HOST", default_value = "127.0.0.1", value_parser = parse_host)]
    pub host: IpAddr,

    /// TCP port to listen on; 0 takes any free one and logs it.
    ///
    /// Variable `PORT`, 0 to 65535, default `8080`.
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub port: u16,

    /// Where everything is kept: a folder, `file://`, `memory://` or `s3://bucket/prefix` (which reads `AWS_*`).
    ///
    /// Variable `EBB_STORE`, a path or URL, default `./.ebb`.
    #[arg(long, env = "EBB_STORE", default_value = "./.ebb", value_name = "URL")]
    pub store: String,

    /// Folder of the model specs, one YAML file per model.
    ///
    /// Variable `EBB_MODELS`, a path, default `./models`.
    #[arg(long, env = "EBB_MODELS", default_value = "./models", value_name = "FOLDER")]
    pub models: PathBuf,

    /// Bearer token that callers must present; never logged. Empty counts as not set.
    ///
    /// Variable `EBB_TOKEN`, text, no default.
    #[arg(long, env = "EBB_TOKEN", hide_env_values = true, value_parser = parse_secret)]
    pub token: Option<SecretString>,

    /// Largest request body in bytes; a larger one is answered with 413.
    ///
    /// Variable `EBB_BODY_LIMIT_BYTES`, bytes, default `8388608`.
    #[arg(long, env = "EBB_BODY_LIMIT_BYTES", default_value_t = 8 * 1024 * 1024, value_name = "BYTES")]
    pub body_limit_bytes: usize,

    /// Seconds after which a short route is answered with 504.
    ///
    /// Variable `EBB_TIMEOUT_S`, seconds from 1, default `30`.
    #[arg(long, env = "EBB_TIMEOUT_S", default_value_t = 30, value_name = "SECONDS", value_parser = seconds())]
    pub timeout_s: u64,

    /// Seconds after which a long route (ingest, check-drift, promote) is answered with 504; its work goes on.
    ///
    /// Variable `EBB_LONG_TIMEOUT_S`, seconds from 1, default `600`.
    #[arg(long, env = "EBB_LONG_TIMEOUT_S", default_value_t = 600, value_name = "SECONDS", value_parser = seconds())]
    pub long_timeout_s: u64,

    /// Requests answered at the same time; more are refused with 503 and `Retry-After`.
    ///
    /// Variable `EBB_CONCURRENCY`, requests from 1, default `256`.
    #[arg(long, env = "EBB_CONCURRENCY", default_value_t = 256, value_name = "REQUESTS", value_parser = requests)]
    pub concurrency: usize,

    /// Seconds after which a writer that died loses its lease on a model.
    ///
    /// Variable `EBB_LEASE_TTL_S`, seconds from 1, default `15`.
    #[arg(long, env = "EBB_LEASE_TTL_S", default_value_t = 15, value_name = "SECONDS", value_parser = seconds())]
    pub lease_ttl_s: u64,

    /// Base URL of an OTLP/HTTP collector for traces, such as `http://localhost:4318`; none exports nothing.
    ///
    /// Variable `OTEL_EXPORTER_OTLP_ENDPOINT`, a URL, no default.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// What is logged, in the syntax of tracing's `EnvFilter`.
    ///
    /// Variable `RUST_LOG`, directives, default `info`.
    #[arg(long, env = "RUST_LOG", default_value = "info", value_name = "DIRECTIVES")]
    pub log_filter: String,

    /// How a log line is written: `json` for machines, `text` for people.
    ///
    /// Variable `EBB_LOG_FORMAT`, `json` or `text`, default `json`.
    #[arg(long, env = "EBB_LOG_FORMAT", default_value = "json", value_enum)]
    pub log_format: LogFormat,

    /// Set by AWS Lambda; when present the process answers Lambda events instead of listening on a port.
    ///
    /// Variable `AWS_LAMBDA_RUNTIME_API`, a host and port, no default.
    #[arg(long, env = "AWS_LAMBDA_RUNTIME_API", hide = true, value_name = "HOST:PORT")]
    pub lambda_runtime_api: Option<String>,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Readable text.
    Text,
}

impl Config {
    /// Settings for a test: loopback, any free port, a store in memory, no token, no telemetry; reads no environment.
    pub fn for_tests() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            store: "memory://".into(),
            models: "./models".into(),
            token: None,
            body_limit_bytes: 8 * 1024 * 1024,
            timeout_s: 30,
            long_timeout_s: 600,
            concurrency: 256,
            lease_ttl_s: 15,
            otlp_endpoint: None,
            log_filter: "info".into(),
            log_format: LogFormat::Json,
            lambda_runtime_api: None,
        }
    }

    /// The environment's `AWS_*` variables, which an `s3://` store needs; sorted by name.
    ///
    /// This is the binary's edge: nothing further in reads the environment.
    pub fn store_options() -> Vec<(String, String)> {
        let mut options: Vec<_> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("AWS_"))
            .collect();
        options.sort();
        options
    }

    /// The configured token, if it is not empty.
    pub fn token(&self) -> Option<&SecretString> {
        self.token.as_ref().filter(|token| !token.expose_secret().trim().is_empty())
    }

    /// [`Self::lease_ttl_s`] as a duration.
    pub fn lease_ttl(&self) -> Duration {
        Duration::from_secs(self.lease_ttl_s)
    }

    /// Whether only this machine can reach the process: bound to loopback and not behind Lambda.
    pub fn is_local(&self) -> bool {
        self.host.is_loopback() && self.lambda_runtime_api.is_none()
    }
}

/// [`Config`] as a Markdown table: variable, default, effect. The README holds it, and a test keeps the two equal.
pub fn table() -> String {
    table_of::<Config>()
}

/// Any function's own settings as the same Markdown table; settings without a variable are left out.
pub fn table_of<A: Args>() -> String {
    let command = A::augment_args(Command::new("ebb"));
    let mut table = String::from("| variable | default | effect |\n|---|---|---|\n");
    for argument in command.get_arguments() {
        let Some(variable) = argument.get_env() else { continue };
        let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let default = if defaults.is_empty() { "–".to_owned() } else { format!("`{}`", defaults.join(" ")) };
        let effect = argument.get_help().map(|help| help.to_string().replace('|', "\\|")).unwrap_or_default();
        table.push_str(&format!("| `{}` | {default} | {effect} |\n", variable.to_string_lossy()));
    }
    table
}

fn parse_host(text: &str) -> Result<IpAddr, String> {
    if text == "localhost" {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse()
        .map_err(|_| format!("`{text}` is not an IP address; try `127.0.0.1`, or `0.0.0.0` for every interface"))
}

fn parse_secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

fn seconds() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=31_536_000)
}

fn requests(text: &str) -> Result<usize, String> {
    // The upper end is what a tokio semaphore can count.
    match text.parse::<usize>() {
        Ok(n_requests) if (1..=1_000_000).contains(&n_requests) => Ok(n_requests),
        _ => Err(format!("`{text}` is not a number of requests between 1 and 1000000")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::FromArgMatches;

    #[test]
    fn every_setting_documents_its_variable_and_default() {
        for argument in Config::augment_args(Command::new("ebb")).get_arguments() {
            let text = argument.get_long_help().map(ToString::to_string).unwrap_or_default();
            let variable = argument.get_env().expect("every shared setting has a variable").to_string_lossy();
            assert!(text.contains(&format!("`{variable}`")), "{variable} is not named in: {text}");
            match argument.get_default_values().first() {
                Some(value) => assert!(text.contains(&format!("default `{}`", value.to_string_lossy())), "{text}"),
                None => assert!(text.contains("no default"), "{text}"),
            }
        }
    }

    #[test]
    fn the_table_lists_variable_default_and_effect() {
        let table = table();
        assert!(
            table.starts_with(
                "| variable | default | effect |\n|---|---|---|\n| `HOST` | `127.0.0.1` | Address to bind."
            )
        );
        assert!(table.contains("\n| `EBB_TOKEN` | – | Bearer token"), "{table}");
        assert_eq!(table.lines().count(), 2 + 14);
    }

    #[test]
    fn bad_values_are_refused() {
        let parse = |arguments: &[&str]| {
            let arguments = [&["ebb"], arguments].concat();
            let matches = Config::augment_args(Command::new("ebb")).try_get_matches_from(arguments);
            matches.and_then(|matches| Config::from_arg_matches(&matches)).map_err(|error| error.to_string())
        };
        assert!(parse(&["--host", "example.org"]).unwrap_err().contains("is not an IP address"));
        assert!(parse(&["--timeout-s", "0"]).is_err());
        assert!(parse(&["--concurrency", "0"]).is_err());
        assert!(parse(&["--host", "localhost", "--port", "0"]).unwrap().is_local());
        assert!(!parse(&["--host", "0.0.0.0"]).unwrap().is_local());
        assert!(parse(&["--token", " "]).unwrap().token().is_none());
        let secret = parse(&["--token", "open sesame"]).unwrap();
        assert!(secret.token().is_some() && !format!("{secret:?}").contains("sesame"));
    }
}
