//! Who and what gets in: the bearer token, the rule for mutating routes, the limit on requests at once, time-outs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Method, header};
use fault::Kind;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::openapi::OpenApi;

use crate::config::Config;
use crate::mark::{Policy, operations_mut};
use crate::meter::Meter;
use crate::problem::Problem;

/// The label of requests that no documented route answers.
const UNMATCHED: &str = "unmatched";

/// The rules that hold for every request.
pub(crate) struct Gate {
    /// SHA-256 of the token, so that neither its content nor its length shows in the time of a comparison.
    token_digest: Option<[u8; 32]>,
    is_local: bool,
    permits: Semaphore,
    short: Duration,
    long: Duration,
}

impl Gate {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            token_digest: config.token().map(|token| Sha256::digest(token.expose_secret()).into()),
            is_local: config.is_local(),
            permits: Semaphore::new(config.concurrency),
            short: Duration::from_secs(config.timeout_s),
            long: Duration::from_secs(config.long_timeout_s),
        }
    }

    /// Whether the caller may use a route of this policy.
    pub(crate) fn authorize(&self, policy: Policy, headers: &HeaderMap) -> Result<(), Problem> {
        if policy.public {
            return Ok(());
        }
        let Some(expected) = &self.token_digest else {
            if policy.mutating && !self.is_local {
                let detail = "this route changes state: set EBB_TOKEN, or bind to a loopback address";
                return Err(Problem::new(Kind::Forbidden, detail));
            }
            return Ok(());
        };
        let given = bearer(headers).ok_or_else(|| Problem::new(Kind::Unauthenticated, "a bearer token is needed"))?;
        let digest: [u8; 32] = Sha256::digest(given).into();
        if bool::from(digest.ct_eq(expected)) {
            Ok(())
        } else {
            Err(Problem::new(Kind::Unauthenticated, "the bearer token is not the right one"))
        }
    }

    /// A place among the requests answered at once; probes always have one, or a busy process would be killed.
    pub(crate) fn admit(&self, policy: Policy) -> Result<Option<SemaphorePermit<'_>>, Problem> {
        if policy.probe {
            return Ok(None);
        }
        let busy = |_| Problem::new(Kind::Busy, "too many requests at once; try again shortly");
        self.permits.try_acquire().map(Some).map_err(busy)
    }

    /// How long a route of this policy may take.
    pub(crate) fn time_limit(&self, policy: Policy) -> Duration {
        if policy.long { self.long } else { self.short }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// One documented route, with what the edge needs at each request made beforehand.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: Arc<str>,
    pub(crate) policy: Policy,
    pub(crate) meter: Meter,
}

/// Every documented route, by path and method.
pub(crate) struct Routes {
    by_path: HashMap<Arc<str>, Vec<Route>>,
    /// No path matched; the answer is 404 for everyone.
    nowhere: Vec<Route>,
    /// A path matched, but not as documented: safe methods may read, all others count as mutating.
    undocumented: Vec<Route>,
}

impl Routes {
    pub(crate) fn new(openapi: &mut OpenApi) -> Self {
        let mut by_path = HashMap::new();
        for (path, item) in &mut openapi.paths.paths {
            let path: Arc<str> = path.as_str().into();
            let routes: Vec<_> = operations_mut(item)
                .map(|(method, operation)| {
                    let meter = Meter::new(method, &path);
                    Route { method, path: Arc::clone(&path), policy: Policy::of(operation), meter }
                })
                .collect();
            by_path.insert(path, routes);
        }
        let unmatched = |policy: fn(&str) -> Policy| -> Vec<Route> {
            let methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "OTHER"];
            let route = |method| Route {
                method,
                path: UNMATCHED.into(),
                policy: policy(method),
                meter: Meter::new(method, UNMATCHED),
            };
            methods.map(route).into()
        };
        Self {
            by_path,
            nowhere: unmatched(|_| Policy { public: true, ..Policy::default() }),
            undocumented: unmatched(|method| Policy {
                mutating: !matches!(method, "GET" | "HEAD" | "OPTIONS"),
                ..Policy::default()
            }),
        }
    }

    /// The route that answers `method` on the matched path.
    pub(crate) fn find(&self, method: &Method, matched_path: Option<&str>) -> &Route {
        let named = |routes: &'_ [Route], name: &str| routes.iter().position(|route| route.method == name);
        let Some(path) = matched_path else { return any_of(&self.nowhere, method) };
        if let Some(routes) = self.by_path.get(path) {
            // A GET route answers HEAD, too.
            let fallback = if method == Method::HEAD { named(routes, "GET") } else { None };
            if let Some(route_idx) = named(routes, method.as_str()).or(fallback) {
                return &routes[route_idx];
            }
        }
        any_of(&self.undocumented, method)
    }
}

/// The method's own entry, or the last one, which stands for every other method.
fn any_of<'a>(routes: &'a [Route], method: &Method) -> &'a Route {
    routes.iter().find(|route| route.method == method.as_str()).unwrap_or(&routes[routes.len() - 1])
}
