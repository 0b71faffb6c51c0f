//! The names of one request: its request id and its place in a W3C trace.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use uuid::Uuid;

/// Carries the request id in and out.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Carries the trace in and out (W3C Trace Context, level 1).
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_ID_MAX_LEN: usize = 128;

/// The request id and trace of the request at hand; a handler takes it as an argument.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    request_id: String,
    trace: Trace,
}

/// A place in a trace: which trace, which span of it, and whether it is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

impl Context {
    pub(crate) fn new(request_id: String, trace: Trace) -> Self {
        Self(Arc::new(Inner { request_id, trace }))
    }

    /// The caller's `x-request-id` when it is sane, else a new UUID (version 7).
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The trace's id, 32 lower-case hexadecimal digits.
    pub fn trace_id(&self) -> String {
        self.0.trace.trace_id.to_string()
    }

    /// The `traceparent` to send along with calls made on behalf of this request.
    pub fn traceparent(&self) -> String {
        let Trace { trace_id, span_id, flags } = self.0.trace;
        format!("00-{trace_id}-{span_id}-{:02x}", flags.to_u8())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Context {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Only a router that was not built by `app` has none.
        let fresh = || Context::new(request_id(&parts.headers), Trace::child_of(None));
        Ok(parts.extensions.get::<Context>().cloned().unwrap_or_else(fresh))
    }
}

impl Trace {
    /// The caller's place, unless the header is missing or wrong (the standard says to start anew then).
    pub(crate) fn parse(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let text = values.next()?.to_str().ok()?;
        if values.next().is_some() {
            return None;
        }
        let mut fields = text.split('-');
        let (version, trace_id) = (fields.next()?, fields.next()?);
        let (span_id, flags) = (fields.next()?, fields.next()?);
        let version = lower_hex(version, 2)?;
        // Version 00 has four fields; later ones may add more; ff is forbidden.
        if version == "ff" || (version == "00" && fields.next().is_some()) {
            return None;
        }
        let trace_id = TraceId::from_hex(lower_hex(trace_id, 32)?).ok().filter(|id| *id != TraceId::INVALID)?;
        let span_id = SpanId::from_hex(lower_hex(span_id, 16)?).ok().filter(|id| *id != SpanId::INVALID)?;
        let flags = u8::from_str_radix(lower_hex(flags, 2)?, 16).ok()?;
        Some(Self { trace_id, span_id, flags: TraceFlags::new(flags) & TraceFlags::SAMPLED })
    }

    /// A new span in the parent's trace, or in a new trace.
    pub(crate) fn child_of(parent: Option<Self>) -> Self {
        let random = Uuid::new_v4().as_u128();
        // The low 64 bits hold the UUID's variant, the high ones its version: fold them, so no bit is fixed.
        let span_id = SpanId::from((random as u64) ^ ((random >> 64) as u64).rotate_left(32));
        match parent {
            Some(parent) => Self { span_id, ..parent },
            None => {
                let trace_id = TraceId::from(Uuid::new_v4().as_u128());
                Self { trace_id, span_id, flags: TraceFlags::default() }
            }
        }
    }

    /// As a remote parent for OpenTelemetry.
    pub(crate) fn to_remote(self) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.flags, true, TraceState::default())
    }

    /// What OpenTelemetry made of a span, if it recorded it.
    pub(crate) fn from_span(context: &SpanContext) -> Option<Self> {
        let (trace_id, span_id) = (context.trace_id(), context.span_id());
        context.is_valid().then(|| Self { trace_id, span_id, flags: context.trace_flags() })
    }
}

fn lower_hex(text: &str, length: usize) -> Option<&str> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (text.len() == length && is_hex).then_some(text)
}

/// The caller's request id when it is safe to log and to send back, else a new one that sorts by time.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| {
        let is_sane = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/');
        (1..=REQUEST_ID_MAX_LEN).contains(&text.len()) && text.bytes().all(is_sane)
    });
    given.map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// A header value from text that is known to be visible ASCII.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(TRACEPARENT, header_value(text))]);
        Trace::parse(&headers).map(|trace| Context::new(String::new(), trace).traceparent())
    }

    #[test]
    fn traceparent_follows_the_standard() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(parse(good).as_deref(), Some(good));
        assert_eq!(parse(&good.replace("00-", "cc-")).as_deref(), Some(good), "a later version is read as 00");
        let bad = [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ];
        for text in bad {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_child_keeps_the_trace_and_has_its_own_span() {
        let parent = Trace::child_of(None);
        let child = Trace::child_of(Some(parent));
        assert_eq!(child.trace_id, parent.trace_id);
        assert_ne!(child.span_id, parent.span_id);
    }

    #[test]
    fn only_a_sane_request_id_is_kept() {
        let of = |text: &'static str| request_id(&HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_static(text))]));
        assert_eq!(of("run-7/turn:3"), "run-7/turn:3");
        for bad in ["", "two words", "a\"b", "<script>"] {
            assert_ne!(of(bad), bad);
        }
        assert_eq!(of("\t").len(), 36);
    }
}
