use std::collections::HashMap;

use features::{Encoded, Slot};
use ndarray::{Array2, ArrayView1};
use shap::{Ends, Game, Mixed};
use spec::{Batch, Categories, ColumnData, MISSING_CODE, Record, Space, Task, Value};

use crate::layer::sum_addends;
use crate::network::{Member, SCRATCH, room};
use crate::response::{Response, check_space};
use crate::{Error, Predictions, Predictor};

/// Most columns behind a feature whose combinations are all prepared.
const MAX_SOURCES: usize = 12;

/// Most addends that are prepared of a feature, 64 MiB of them: one for each cell that is not like another.
const MAX_ADDENDS: usize = 1 << 24;

/// The game whose Shapley values explain one record: the players are the raw columns of the spec.
///
/// ```text
/// v(S) = mean over background rows b of  f(the record's cells in S, b's cells elsewhere)
/// ```
///
/// where `f` is the served response of the whole network in the asked units: the probability of the positive class or of
/// each class, the log-odds of the former or the logarithm of each of the latter, or the number in target units. `f` at the
/// record and at the background rows is what [`Predictor::predict`] answers for them, by the same code, so that values add
/// up to the served answer to the last bits.
///
/// At mixed rows the sum before the first activation is put together from addends, one for each feature, that are made
/// ready once: a feature has an addend for each cell that it takes in the record or the background, and a feature made of
/// several columns one for each combination of which of them come from the record.
#[derive(Debug)]
pub struct Coalitions<'a> {
    predictor: &'a Predictor,
    space: Space,
    background: &'a Batch,
    /// The record's cells, each repeated for every background row.
    record: Vec<ColumnData>,
    ends: Ends,
    features: Vec<Feature>,
}

/// One feature of the network and its addends.
#[derive(Debug)]
struct Feature {
    slot: Slot,
    sources: Vec<usize>,
    /// For each combination of which sources come from the record, by bits, and each background row: which addend it has.
    /// Empty for a feature of more combinations or cells than are prepared.
    addend_of: Vec<Vec<u32>>,
    /// Per member, addends of shape `[n_cells, width]`.
    addends: Vec<Vec<f32>>,
}

impl<'a> Coalitions<'a> {
    /// The game that explains `record` against the rows of `background` in units of `space`.
    ///
    /// # Errors
    /// [`Error::Space`] for units that the task does not have, [`Error::EmptyBackground`] and [`Error::Background`].
    pub fn new(predictor: &'a Predictor, record: &Record, background: &'a Batch, space: Space) -> Result<Self, Error> {
        let spec = predictor.spec();
        check_space(spec.task, space)?;
        let (n_players, n_background) = (spec.columns.len(), background.n_rows());
        if n_background == 0 {
            return Err(Error::EmptyBackground);
        }
        if background.columns().len() != n_players {
            return Err(Error::Background { expected: n_players, actual: background.columns().len() });
        }
        let full_value = predictor.explained(&predictor.predict_records(std::slice::from_ref(record)), space);
        let base_values = predictor.explained(&predictor.predict(background), space);
        let is_same = |player: usize, row: usize| background.column(player).value(row) == record.values()[player];
        let ends = Ends::new(n_players, full_value.row(0).to_owned(), base_values, is_same);
        let columns = background.columns().iter().zip(record.values());
        let record = columns.map(|(column, value)| repeat(column, value, n_background)).collect();
        let features = Vec::new();
        let mut game = Self { predictor, space, background, record, ends, features };
        game.features = game.prepared();
        Ok(game)
    }

    /// The features with their addends.
    fn prepared(&self) -> Vec<Feature> {
        let slots = self.predictor.encoder().slots();
        let n_background = self.background.n_rows();
        // An encoding has the cells of every feature, so it is shared by those that take the same columns.
        let mut encodings: HashMap<Vec<bool>, Encoded> = HashMap::new();
        let prepare = |slot: &features::FeatureSlot| {
            let mut feature =
                Feature { slot: slot.slot, sources: slot.sources.clone(), addend_of: Vec::new(), addends: Vec::new() };
            let mut cells = Cells::default();
            if feature.sources.len() > MAX_SOURCES {
                return feature;
            }
            for combination in 0..1_usize << feature.sources.len() {
                let mut coalition = vec![false; self.record.len()];
                for (bit, source) in feature.sources.iter().enumerate() {
                    coalition[*source] = combination >> bit & 1 == 1;
                }
                let encoded = encodings.entry(coalition).or_insert_with_key(|coalition| self.encode_all(coalition));
                feature.addend_of.push((0..n_background).map(|row| cells.index_of(encoded, slot.slot, row)).collect());
            }
            let members = self.predictor.network().members();
            if members.iter().any(|member| cells.first_of.len() * member.bias.len() > MAX_ADDENDS) {
                feature.addend_of.clear();
                return feature;
            }
            feature.addends = members.iter().map(|member| cells.addends(member, slot.slot)).collect();
            feature
        };
        slots.iter().map(prepare).collect()
    }

    /// The background with the columns in the coalition set to the record's cells, encoded.
    fn encode_all(&self, coalition: &[bool]) -> Encoded {
        let columns = self.background.columns().iter().zip(&self.record).zip(coalition);
        let columns = columns.map(|((background, record), member)| if *member { record } else { background }.clone());
        let mixed = Batch::new(columns.collect(), None, None, self.background.n_rows());
        self.predictor.encoder().encode(self.predictor.spec(), &mixed)
    }

    /// Mixed rows, encoded one by one.
    fn encode(&self, mixed: &Mixed) -> Encoded {
        let spec = self.predictor.spec();
        let mut rows = spec::BatchBuilder::new(spec.columns.values().map(|column| column.kind), None, false);
        for (background, coalition) in mixed.rows() {
            let columns = self.background.columns().iter().zip(&self.record).zip(coalition);
            let cells = columns.map(|((background_column, record), member)| {
                if *member { record } else { background_column }.value(background)
            });
            rows.push(&cells.collect::<Vec<Value>>(), &Value::Missing, f64::NAN);
        }
        self.predictor.encoder().encode(spec, &rows.finish())
    }
}

impl Game for Coalitions<'_> {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn outputs(&self, mixed: &Mixed, out: &mut [f64]) {
        let members = self.predictor.network().members();
        let (n_rows, n_outputs) = (mixed.len(), self.n_outputs());
        // Exact explanations count coalitions up, the first players changing fastest: so their features are added last.
        let (prepared, others): (Vec<&Feature>, Vec<&Feature>) =
            self.features.iter().rev().partition(|feature| !feature.addends.is_empty());
        let mut rows = Vec::with_capacity(n_rows * prepared.len());
        for (background, coalition) in mixed.rows() {
            rows.extend(prepared.iter().map(|feature| {
                let sources = feature.sources.iter().enumerate();
                let combination: usize = sources.map(|(bit, source)| usize::from(coalition[*source]) << bit).sum();
                feature.addend_of[combination][background]
            }));
        }
        let encoded = (!others.is_empty()).then(|| self.encode(mixed));
        let mut outputs = vec![0.0; members.len() * n_rows * n_outputs];
        SCRATCH.with_borrow_mut(|scratch| {
            for (index, (member, outputs)) in
                members.iter().zip(outputs.chunks_exact_mut(n_rows * n_outputs)).enumerate()
            {
                let tables: Vec<&[f32]> = prepared.iter().map(|feature| feature.addends[index].as_slice()).collect();
                let sums = room(&mut scratch.sums, n_rows * member.bias.len());
                sum_addends(&member.bias, &tables, &rows, sums);
                if let Some(encoded) = &encoded {
                    for (row, sums) in sums.chunks_exact_mut(member.bias.len()).enumerate() {
                        others.iter().for_each(|feature| add_cell(member, feature.slot, encoded, row, sums));
                    }
                }
                member.rest(n_rows, scratch, outputs);
            }
        });
        let task = self.predictor.spec().task;
        let mut logs = vec![0.0; n_outputs];
        for (row, answer) in out.chunks_exact_mut(n_outputs).enumerate() {
            self.predictor.response().answer(&outputs, n_rows, row, &mut logs, answer);
            Response::in_space(self.space, task, answer);
        }
    }
}

impl Predictor {
    /// What explanations explain of predictions: the positive class's probability, each class's, or the number, in these
    /// units. Shape `[n_rows, n_outputs]`.
    fn explained(&self, predictions: &Predictions, space: Space) -> Array2<f64> {
        let task = self.spec().task;
        let mut answers = match predictions {
            Predictions::Numbers(numbers) => ArrayView1::from(numbers).insert_axis(ndarray::Axis(1)).to_owned(),
            Predictions::Probabilities(rows) if task == Task::Binary => {
                rows.values.column(self.spec().positive_index()).insert_axis(ndarray::Axis(1)).to_owned()
            }
            Predictions::Probabilities(rows) => rows.values.clone(),
        };
        for mut row in answers.rows_mut() {
            let mut answer = row.to_vec();
            Response::in_space(space, task, &mut answer);
            row.iter_mut().zip(answer).for_each(|(cell, answer)| *cell = answer);
        }
        answers
    }
}

/// The cells of a feature that are not like another.
#[derive(Default)]
struct Cells {
    index: HashMap<Vec<u32>, u32>,
    /// Of each, its dense inputs and positions, or its code.
    first_of: Vec<Vec<u32>>,
}

impl Cells {
    /// The place of a row's cell among them.
    fn index_of(&mut self, encoded: &Encoded, slot: Slot, row: usize) -> u32 {
        let cell = bits_of(encoded, slot, row);
        let next = self.first_of.len() as u32;
        *self.index.entry(cell).or_insert_with_key(|cell| {
            self.first_of.push(cell.clone());
            next
        })
    }

    /// The addend of each. Shape `[n_cells, width]`.
    fn addends(&self, member: &Member, slot: Slot) -> Vec<f32> {
        let width = member.bias.len();
        let mut addends = vec![0.0; self.first_of.len() * width];
        for (cell, addend) in self.first_of.iter().zip(addends.chunks_exact_mut(width)) {
            add_bits(member, slot, cell, addend);
        }
        addends
    }
}

/// A row's cell of a feature: the bits of its dense inputs and of its positions, or its code.
fn bits_of(encoded: &Encoded, slot: Slot, row: usize) -> Vec<u32> {
    match slot {
        Slot::Number { start, len, first_curve, n_curves } => {
            let dense = (start..start + len).map(|input| encoded.dense[[row, input]]);
            let positions = (first_curve..first_curve + n_curves).map(|curve| encoded.positions[[row, curve]]);
            dense.chain(positions).map(f32::to_bits).collect()
        }
        Slot::Code { index } => vec![encoded.codes[[row, index]]],
    }
}

/// Adds the addend of a cell.
fn add_bits(member: &Member, slot: Slot, cell: &[u32], sum: &mut [f32]) {
    let width = member.bias.len();
    let mut add = |share: f32, addend: &[f32]| {
        sum.iter_mut().zip(addend).for_each(|(sum, addend)| *sum += share * addend);
    };
    match slot {
        Slot::Number { start, len, first_curve, .. } => {
            let (dense, positions) = cell.split_at(len);
            let addends = member.dense[start * width..(start + len) * width].chunks_exact(width);
            dense.iter().zip(addends).for_each(|(value, addend)| add(f32::from_bits(*value), addend));
            for (curve, position) in (first_curve..).zip(positions) {
                let edges = member.on_curve(curve, f32::from_bits(*position));
                edges.into_iter().flatten().for_each(|(share, addend)| add(share, addend));
            }
        }
        Slot::Code { index } => add(1.0, member.addend(index, cell[0])),
    }
}

/// Adds the addend of an encoded row's cell.
fn add_cell(member: &Member, slot: Slot, encoded: &Encoded, row: usize, sum: &mut [f32]) {
    add_bits(member, slot, &bits_of(encoded, slot, row), sum);
}

/// A column of one cell, repeated.
fn repeat(like: &ColumnData, value: &Value, n_rows: usize) -> ColumnData {
    match (like, value) {
        (ColumnData::Numbers(_), value) => ColumnData::Numbers(vec![value.as_number().unwrap_or(f64::NAN); n_rows]),
        (ColumnData::Categories(_), Value::Level(level)) => {
            ColumnData::Categories(Categories { levels: vec![level.clone()], codes: vec![0; n_rows] })
        }
        (ColumnData::Categories(_), _) => {
            ColumnData::Categories(Categories { levels: Vec::new(), codes: vec![MISSING_CODE; n_rows] })
        }
    }
}
