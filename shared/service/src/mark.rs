//! What sets a route apart, written into its OpenAPI operation, where the gate and the reader find it.

use serde_json::{Map, Value};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem, Paths};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Required};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::extract::IdempotencyKey;

/// The key of an operation that holds its marks.
const EXTENSION: &str = "x-ebb";

/// Marks for routes: on `routes!(handler)`, or on a whole `OpenApiRouter`.
///
/// A mark lives in the route's OpenAPI operation, so every route must be documented: one that is not counts as
/// neither public nor long, and as mutating unless it is a GET or HEAD.
///
/// ```
/// use service::{Mark, OpenApiRouter, routes};
///
/// /// Pulls the next batch.
/// #[utoipa::path(post, path = "/ingest")]
/// async fn ingest() {}
///
/// let router: OpenApiRouter = OpenApiRouter::new().routes(routes!(ingest).mutating().long());
/// ```
pub trait Mark: Sized {
    /// Changes what others see: refused without a token unless the process is bound to loopback. Documents the
    /// `Idempotency-Key` header, too.
    fn mutating(self) -> Self;

    /// May take long: gets the long time-out.
    fn long(self) -> Self;

    /// Needs no token, such as a GET of the page.
    fn public(self) -> Self;
}

impl<S> Mark for UtoipaMethodRouter<S> {
    fn mutating(mut self) -> Self {
        mark(&mut self.1, Policy { mutating: true, ..Policy::default() });
        self
    }

    fn long(mut self) -> Self {
        mark(&mut self.1, Policy { long: true, ..Policy::default() });
        self
    }

    fn public(mut self) -> Self {
        mark(&mut self.1, Policy { public: true, ..Policy::default() });
        self
    }
}

impl<S: Clone + Send + Sync + 'static> Mark for OpenApiRouter<S> {
    fn mutating(mut self) -> Self {
        mark(&mut self.get_openapi_mut().paths, Policy { mutating: true, ..Policy::default() });
        self
    }

    fn long(mut self) -> Self {
        mark(&mut self.get_openapi_mut().paths, Policy { long: true, ..Policy::default() });
        self
    }

    fn public(mut self) -> Self {
        mark(&mut self.get_openapi_mut().paths, Policy { public: true, ..Policy::default() });
        self
    }
}

/// Everything that sets a route apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) mutating: bool,
    pub(crate) long: bool,
    pub(crate) public: bool,
    /// Asked by machines that watch the process: never shed, and logged only at debug level.
    pub(crate) probe: bool,
}

impl Policy {
    pub(crate) fn of(operation: &Operation) -> Self {
        let marks = operation.extensions.as_ref().and_then(|extensions| extensions.get(EXTENSION));
        let has = |name| marks.and_then(|marks| marks.get(name)).is_some_and(|value| value == true);
        Self { mutating: has("mutating"), long: has("long"), public: has("public"), probe: has("probe") }
    }

    /// One object with its keys in a fixed order, so that the document is the same every time.
    fn to_extension(self) -> Value {
        let names = [("mutating", self.mutating), ("long", self.long), ("public", self.public), ("probe", self.probe)];
        let set = names.into_iter().filter(|(_, is_set)| *is_set);
        Value::Object(set.map(|(name, _)| (name.to_owned(), Value::Bool(true))).collect::<Map<_, _>>())
    }
}

pub(crate) fn mark(paths: &mut Paths, added: Policy) {
    for operation in paths.paths.values_mut().flat_map(operations_mut) {
        let old = Policy::of(operation.1);
        let policy = Policy {
            mutating: old.mutating || added.mutating,
            long: old.long || added.long,
            public: old.public || added.public,
            probe: old.probe || added.probe,
        };
        let extensions = operation.1.extensions.get_or_insert_with(Extensions::default);
        extensions.insert(EXTENSION.to_owned(), policy.to_extension());
        if added.mutating {
            document_idempotency_key(operation.1);
        }
    }
}

/// The operations of a path with their methods' names.
pub(crate) fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [
        ("GET", get),
        ("PUT", put),
        ("POST", post),
        ("DELETE", delete),
        ("OPTIONS", options),
        ("HEAD", head),
        ("PATCH", patch),
        ("TRACE", trace),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn document_idempotency_key(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_with(Vec::new);
    let is_there = parameters.iter().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name.eq_ignore_ascii_case(IdempotencyKey::HEADER),
        RefOr::Ref(_) => false,
    });
    if is_there {
        return;
    }
    let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(200));
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Visible ASCII. A repeat of the key with the same body gets the first answer again, with \
             `Idempotency-Replayed: true`; with another body it is refused with 422.",
        ))
        .schema(Some(schema));
    parameters.push(RefOr::T(parameter.build()));
}
