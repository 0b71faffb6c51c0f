//! Collects the cells of one row after another: into the batch, or into quarantine.

use std::collections::HashSet;

use fault::FieldError;
use spec::{BatchBuilder, Cell, Spec, Value, parse_time};

use crate::Read;
use crate::error::{Error, MAX_UNKNOWN, pointer};
use crate::layout::{Layout, Place, Slot};
use crate::quarantine::QuarantinedRow;

/// The rows read so far, and the one that is being read.
pub(crate) struct Rows<'a> {
    spec: &'a Spec,
    layout: Layout,
    builder: BatchBuilder,
    quarantined: Vec<QuarantinedRow>,
    unknown: HashSet<String>,
    /// Per slot, whether any row had it.
    present: Vec<bool>,
    /// Rows whose keys were all seen; without one, nothing can be said about missing columns.
    n_whole_rows: u64,
    time_form: Option<TimeForm>,

    row: u64,
    /// Per slot, one more than the last row that gave it a cell.
    given: Vec<u64>,
    values: Vec<Value>,
    target: Value,
    time: f64,
    weight: f64,
    reasons: Vec<FieldError>,
    /// Weights of the rows that fit, where the spec names some.
    weights: Option<Vec<f64>>,
}

/// How a time that is no input is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeForm {
    Number,
    Date,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(spec: &'a Spec) -> Self {
        let layout = Layout::new(spec);
        let n_slots = layout.places().len();
        let kinds = spec.columns.values().map(|column| column.kind);
        Self {
            builder: BatchBuilder::new(kinds, Some(spec.target_kind()), spec.time.is_some()),
            quarantined: Vec::new(),
            unknown: HashSet::new(),
            present: vec![false; n_slots],
            n_whole_rows: 0,
            time_form: None,
            row: 0,
            given: vec![0; n_slots],
            values: vec![Value::Missing; spec.columns.len()],
            target: Value::Missing,
            time: f64::NAN,
            weight: 1.0,
            reasons: Vec::new(),
            weights: spec.train.weight.is_some().then(Vec::new),
            layout,
            spec,
        }
    }

    /// Where the source's column of this name goes; a name that the spec does not know is noted.
    pub(crate) fn slot(&mut self, source_name: &str) -> Option<Slot> {
        let slot = self.layout.slot(source_name);
        if slot.is_none() && self.unknown.len() < MAX_UNKNOWN && !self.unknown.contains(source_name) {
            self.unknown.insert(source_name.to_owned());
        }
        slot
    }

    /// The slots of a header that holds for all rows.
    ///
    /// # Errors
    /// The name of a column that stands there twice, after renaming.
    pub(crate) fn header<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> Result<Vec<Option<Slot>>, String> {
        let mut slots = Vec::new();
        for name in names {
            let slot = self.slot(name);
            if let Some(slot) = slot {
                if self.present[slot.index] {
                    return Err(self.layout.name(slot.index).to_owned());
                }
                self.present[slot.index] = true;
            }
            slots.push(slot);
        }
        Ok(slots)
    }

    /// Whether the columns fit, once a header is known.
    pub(crate) fn check_schema(&self) -> Result<(), Error> {
        let mut unknown: Vec<String> = self.unknown.iter().cloned().collect();
        unknown.sort();
        let missing: Vec<String> = self
            .layout
            .places()
            .iter()
            .enumerate()
            .filter(|(index, place)| !self.present[*index] && self.is_needed(**place))
            .map(|(index, _)| self.layout.name(index).to_owned())
            .collect();
        if unknown.is_empty() && missing.is_empty() { Ok(()) } else { Err(Error::Schema { unknown, missing }) }
    }

    fn is_needed(&self, place: Place) -> bool {
        match place {
            Place::Column(index) => !self.spec.columns[index].nullable,
            Place::Target | Place::Time | Place::Weight => true,
            Place::Ignored => false,
        }
    }

    /// Gives the row being read a cell; none stands for an array or an object.
    pub(crate) fn put(&mut self, slot: Slot, cell: Option<Cell<'_>>) {
        if self.given[slot.index] == self.row + 1 {
            self.refuse(slot, "this column is given twice");
            return;
        }
        self.given[slot.index] = self.row + 1;
        self.present[slot.index] = true;
        let Some(cell) = cell else {
            if slot.place != Place::Ignored {
                self.refuse(slot, "one value is needed here, not an array or an object");
            }
            return;
        };
        let wrong = match slot.place {
            Place::Column(index) => self.spec.columns[index].accept(cell).map(|value| self.values[index] = value).err(),
            Place::Target => self.spec.accept_target(cell).map(|value| self.target = value).err(),
            Place::Time => self.accept_time(cell).map(|time| self.time = time).err(),
            Place::Weight => accept_weight(cell).map(|weight| self.weight = weight).err(),
            Place::Ignored => None,
        };
        if let Some(detail) = wrong {
            self.refuse(slot, detail);
        }
    }

    fn refuse(&mut self, slot: Slot, detail: impl Into<String>) {
        self.reasons.push(FieldError::new(pointer(self.layout.name(slot.index)), detail));
    }

    fn accept_time(&mut self, cell: Cell<'_>) -> Result<f64, String> {
        let number = |number: f64| (number.is_finite()).then_some((number, TimeForm::Number));
        let date = |text: &str| parse_time(text.trim()).map(|seconds| (seconds, TimeForm::Date));
        let time = match cell {
            Cell::Missing => return Ok(f64::NAN),
            Cell::Number(value) => number(value),
            Cell::Text(text) => date(text),
            Cell::Untyped(text) => text.trim().parse().ok().and_then(number).or_else(|| date(text)),
            Cell::Boolean(_) => None,
        };
        let Some((time, form)) = time else {
            return Err("a number or an ISO 8601 date such as 2026-01-31 is needed here".to_owned());
        };
        if *self.time_form.get_or_insert(form) != form {
            return Err(
                "this is a number where rows above have a date, or the reverse: the two have no order".to_owned()
            );
        }
        Ok(time)
    }

    /// Ends the row being read: all its columns were seen. `cells` gives the row as the source has it.
    pub(crate) fn end(&mut self, cells: impl FnOnce() -> serde_json::Value) {
        self.n_whole_rows += 1;
        for index in 0..self.layout.places().len() {
            let place = self.layout.places()[index];
            // A time may be missing in a row, though not in all of them.
            if self.given[index] != self.row + 1 && place != Place::Time && self.is_needed(place) {
                let detail = match place {
                    Place::Column(column) => format!("this {} column is missing", self.spec.columns[column].kind),
                    Place::Weight => "the weight of this row is missing".to_owned(),
                    _ => "the target is missing".to_owned(),
                };
                self.refuse(Slot { index, place }, detail);
            }
        }
        for (column, detail) in self.spec.broken_rules(&self.values, &self.target) {
            self.reasons.push(FieldError::new(pointer(&column), format!("a rule is broken: {detail}")));
        }
        if self.reasons.is_empty() {
            if let Some(time) = &self.spec.time
                && let Some(index) = self.spec.columns.get_index_of(time)
            {
                self.time = self.values[index].as_number().unwrap_or(f64::NAN);
            }
            self.builder.push(&self.values, &self.target, self.time);
            self.weights.iter_mut().for_each(|weights| weights.push(self.weight));
            self.next_row();
        } else {
            self.quarantine(cells());
        }
    }

    /// Ends the row being read, which cannot be read to its end.
    pub(crate) fn end_refused(&mut self, detail: impl Into<String>, cells: serde_json::Value) {
        self.reasons.push(FieldError::new("", detail));
        self.quarantine(cells);
    }

    fn quarantine(&mut self, cells: serde_json::Value) {
        let reasons = std::mem::take(&mut self.reasons);
        self.quarantined.push(QuarantinedRow { row: self.row, reasons, cells });
        self.next_row();
    }

    fn next_row(&mut self) {
        self.row += 1;
        self.values.fill(Value::Missing);
        self.target = Value::Missing;
        self.time = f64::NAN;
        self.weight = 1.0;
    }

    /// What became of all rows.
    pub(crate) fn finish(self, batch_number: Option<u64>) -> Result<Read, Error> {
        if self.n_whole_rows > 0 || !self.unknown.is_empty() {
            self.check_schema()?;
        }
        let batch = self.builder.finish().with_weight(self.weights);
        Ok(Read { batch, quarantined: self.quarantined, batch_number, n_source_rows: self.row })
    }
}

/// How much a row counts: a finite number from 0.
fn accept_weight(cell: Cell<'_>) -> Result<f64, String> {
    let number = match cell {
        Cell::Number(number) => Some(number),
        Cell::Untyped(text) => text.trim().parse().ok(),
        Cell::Missing | Cell::Boolean(_) | Cell::Text(_) => None,
    };
    let weight = number.filter(|number: &f64| number.is_finite() && *number >= 0.0);
    weight.ok_or_else(|| "how much this row counts is needed here: a number from 0".to_owned())
}
