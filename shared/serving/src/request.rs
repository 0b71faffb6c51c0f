//! Reading a request's body so that every mistake in it is found, not the first alone.

use fault::FieldError;
use serde_json::{Map, Value as Json};
use spec::{Record, Spec};

use crate::Error;

/// Wrong places that an answer lists; more are counted.
pub const MAX_LISTED_ERRORS: usize = 100;

/// A JSON body under inspection: take what is expected, report what is wrong, and [`finish`](Request::finish).
#[derive(Clone, Debug)]
pub struct Request {
    object: Map<String, Json>,
    known: Vec<&'static str>,
    fields: Vec<FieldError>,
    n_errors: usize,
}

impl Request {
    /// Starts with a body.
    ///
    /// # Errors
    /// [`Error::Request`] when it is no object.
    pub fn new(body: Json) -> Result<Self, Error> {
        match body {
            Json::Object(object) => Ok(Self { object, known: Vec::new(), fields: Vec::new(), n_errors: 0 }),
            _ => {
                let fields = vec![FieldError::new("", "the body is an object")];
                Err(Error::Request { fields, n_errors: 1 })
            }
        }
    }

    /// Takes the value of a key, if it is there.
    pub fn take(&mut self, key: &'static str) -> Option<Json> {
        self.known.push(key);
        self.object.remove(key)
    }

    /// Takes the elements of an array that must be there and have 1 to `limit` of them; reports it if not.
    pub fn elements(&mut self, key: &'static str, limit: usize) -> Vec<Json> {
        let detail = match self.take(key) {
            None => format!("this is missing: an array of 1 to {limit}"),
            Some(Json::Array(elements)) if elements.is_empty() => format!("this is empty: give 1 to {limit}"),
            Some(Json::Array(elements)) if elements.len() > limit => {
                format!("these are {}: give at most {limit} at once", elements.len())
            }
            Some(Json::Array(elements)) => return elements,
            Some(_) => format!("this is an array of 1 to {limit}"),
        };
        self.error(format!("/{key}"), detail);
        Vec::new()
    }

    /// Takes `records` and checks each row with the spec. The rows are returned as they came, too.
    ///
    /// Where a row is wrong there is no record for it, and [`finish`](Request::finish) fails.
    pub fn records(&mut self, spec: &Spec, limit: usize) -> (Vec<Json>, Vec<Record>) {
        let rows = self.elements("records", limit);
        let mut records = Vec::with_capacity(rows.len());
        for (index, row) in rows.iter().enumerate() {
            match spec.record(row) {
                Ok(record) => records.push(record),
                Err(error) => {
                    for field in error.below(&format!("/records/{index}")).fields {
                        self.report(field);
                    }
                }
            }
        }
        (rows, records)
    }

    /// Reports a mistake at a JSON pointer.
    pub fn error(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.report(FieldError::new(pointer, detail));
    }

    fn report(&mut self, field: FieldError) {
        self.n_errors += 1;
        if self.fields.len() < MAX_LISTED_ERRORS {
            self.fields.push(field);
        }
    }

    /// Ends the inspection.
    ///
    /// # Errors
    /// [`Error::Request`] when anything was reported, or a key is left that nobody took.
    pub fn finish(mut self) -> Result<(), Error> {
        let left: Vec<String> = self.object.keys().map(|key| fault::pointer_token(key)).collect();
        for key in left {
            let detail = format!("unknown key; known are {}", self.known.join(", "));
            self.error(format!("/{key}"), detail);
        }
        if self.n_errors == 0 {
            return Ok(());
        }
        Err(Error::Request { fields: self.fields, n_errors: self.n_errors })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn errors(body: Json) -> (usize, Vec<String>) {
        let spec = Spec::parse("name: demo\ntask: regression\ntarget: {column: y}\ncolumns: {x: {kind: number}}\n");
        let read = |body| {
            let mut request = Request::new(body)?;
            request.records(&spec.unwrap(), 200);
            request.finish()
        };
        match read(body) {
            Ok(()) => (0, Vec::new()),
            Err(Error::Request { fields, n_errors }) => {
                (n_errors, fields.into_iter().map(|field| field.pointer).collect())
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn every_mistake_is_found() {
        assert_eq!(errors(json!({"records": [{"x": 1}]})), (0, vec![]));
        assert_eq!(errors(json!([])), (1, vec![String::new()]));
        let pointers = ["/records/0/x", "/records/1/x", "/records/1/z", "/a~1b"].map(str::to_owned);
        assert_eq!(errors(json!({"records": [{}, {"x": "1", "z": 1}], "a/b": 1})), (4, pointers.into()));
        let many: Vec<Json> = (0..150).map(|_| json!({})).collect();
        let (n_errors, listed) = errors(json!({"records": many}));
        assert_eq!((n_errors, listed.len()), (150, MAX_LISTED_ERRORS));
    }
}
