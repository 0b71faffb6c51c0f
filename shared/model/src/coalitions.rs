use std::collections::HashMap;

use features::{Encoded, Slot};
use shap::Game;
use spec::{Batch, Categories, ColumnData, MISSING_CODE, Record, Space, Task, Value};

use crate::network::{CHUNK_ROWS, Member, Scratch};
use crate::response::{Response, check_space};
use crate::{Error, Predictor};

/// Most combinations of a feature's sources whose cells are kept. A feature made of up to 10 columns keeps all of its own.
const MAX_CELLS: usize = 1024;

/// The game whose Shapley values explain one record: the players are the raw columns of the spec.
///
/// ```text
/// v(S) = mean over background rows b of  f(the record's cells in S, b's cells elsewhere)
/// ```
///
/// where `f` is the served response of the whole network in the asked units: the probability of the positive class or of
/// each class, the log-odds of the former or the logarithm of each of the latter, or the number in target units. So `v` of
/// all players is what [`Predictor::predict`] answers for the record, and `v` of none is the mean answer over the background.
///
/// Per background row the sum before the first activation is kept. A coalition that differs from the one before in one
/// player changes only the addends of the features made of that column; a feature made of several columns has its own
/// cells for each combination of which of them come from the record. The sums are kept in double precision, so that a walk
/// of any length leaves no drift in them.
#[derive(Debug)]
pub struct Coalitions<'a> {
    predictor: &'a Predictor,
    space: Space,
    /// Room for a response to work in. Shape `[n_outputs]`.
    logs: Vec<f64>,
    background: &'a Batch,
    /// The record's cells, each repeated for every background row.
    record: Vec<ColumnData>,
    features: Vec<Feature>,
    /// Per player, the features that are made of its column.
    features_of: Vec<Vec<usize>>,
    coalition: Vec<bool>,
    /// Per member, the sums before the first activation for `coalition`. Shapes `[n_background, width]`.
    sums: Vec<Vec<f64>>,
    scratch: Scratch,
    outputs: Vec<f32>,
}

/// One feature of the network and its cells for each combination of its sources.
#[derive(Debug)]
struct Feature {
    slot: Slot,
    sources: Vec<usize>,
    /// Which of `sources` come from the record in the sums as they stand.
    from_record: Vec<bool>,
    cells: HashMap<Vec<bool>, Cells>,
}

/// A feature's encoded cells for all background rows.
#[derive(Clone, Debug)]
enum Cells {
    /// Dense inputs, shape `[n_background, len]`, and positions, shape `[n_background, n_curves]`.
    Numbers(Vec<f32>, Vec<f32>),
    /// Shape `[n_background]`.
    Codes(Vec<u32>),
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
        let encoded = predictor.encoder().encode(spec, background);
        let mut features = Vec::new();
        let mut features_of = vec![Vec::new(); n_players];
        for (index, slot) in predictor.encoder().slots().iter().enumerate() {
            for source in &slot.sources {
                features_of[*source].push(index);
            }
            let from_record = vec![false; slot.sources.len()];
            let cells = HashMap::from([(from_record.clone(), Cells::of(&encoded, slot.slot))]);
            features.push(Feature { slot: slot.slot, sources: slot.sources.clone(), from_record, cells });
        }
        let columns = background.columns().iter().zip(record.values());
        let record = columns.map(|(column, value)| repeat(column, value, n_background)).collect();
        let network = predictor.network();
        let mut sums = Vec::with_capacity(network.members().len());
        for member in network.members() {
            let mut sum: Vec<f64> =
                (0..n_background).flat_map(|_| member.bias.iter().copied().map(f64::from)).collect();
            for feature in &features {
                feature.cells[&feature.from_record].add(feature.slot, member, &mut sum);
            }
            sums.push(sum);
        }
        let outputs = vec![0.0; sums.len() * n_background.min(CHUNK_ROWS) * network.architecture().n_outputs];
        Ok(Self {
            predictor,
            space,
            logs: vec![0.0; network.architecture().n_outputs],
            background,
            record,
            features,
            features_of,
            coalition: vec![false; n_players],
            sums,
            scratch: Scratch::default(),
            outputs,
        })
    }

    /// Brings the sums from the coalition they stand for to another.
    fn move_to(&mut self, coalition: &[bool]) {
        let mut touched: Vec<usize> = Vec::new();
        for (player, member) in coalition.iter().enumerate() {
            if self.coalition[player] != *member {
                touched.extend(&self.features_of[player]);
            }
        }
        self.coalition.copy_from_slice(coalition);
        touched.sort_unstable();
        touched.dedup();
        let mut mixed: Option<Encoded> = None;
        for index in touched {
            let from_record: Vec<bool> = self.features[index].sources.iter().map(|source| coalition[*source]).collect();
            if !self.features[index].cells.contains_key(&from_record) {
                // One encoding has the cells of every feature for this coalition.
                let mixed =
                    mixed.get_or_insert_with(|| encode_mixed(self.predictor, self.background, &self.record, coalition));
                self.features[index].keep(&from_record, mixed);
            }
            let feature = &mut self.features[index];
            let (old, new) = (&feature.cells[&feature.from_record], &feature.cells[&from_record]);
            for (member, sum) in self.predictor.network().members().iter().zip(&mut self.sums) {
                old.exchange(new, feature.slot, member, sum);
            }
            feature.from_record = from_record;
        }
    }
}

impl Game for Coalitions<'_> {
    fn n_players(&self) -> usize {
        self.coalition.len()
    }

    fn n_outputs(&self) -> usize {
        self.predictor.network().architecture().n_outputs
    }

    fn value(&mut self, coalition: &[bool], out: &mut [f64]) {
        self.move_to(coalition);
        let (n_background, width) = (self.background.n_rows(), self.n_outputs());
        let task = self.predictor.spec().task;
        let members = self.predictor.network().members();
        let mut answer = vec![0.0; width];
        out.fill(0.0);
        for start in (0..n_background).step_by(CHUNK_ROWS) {
            let n_rows = CHUNK_ROWS.min(n_background - start);
            let outputs = &mut self.outputs[..members.len() * n_rows * width];
            for ((member, sums), outputs) in
                members.iter().zip(&self.sums).zip(outputs.chunks_exact_mut(n_rows * width))
            {
                let n_sums = member.bias.len();
                let sums = &sums[start * n_sums..(start + n_rows) * n_sums];
                self.scratch.sums.clear();
                self.scratch.sums.extend(sums.iter().map(|sum| *sum as f32));
                member.rest(n_rows, true, &mut self.scratch, outputs);
            }
            for row in 0..n_rows {
                self.predictor.response().answer(outputs, n_rows, row, &mut self.logs, &mut answer);
                Response::in_space(self.space, task, &mut answer);
                out.iter_mut().zip(&answer).for_each(|(sum, value)| *sum += value);
            }
        }
        out.iter_mut().for_each(|sum| *sum /= n_background as f64);
        debug_assert!(task == Task::Multiclass || out.len() == 1, "one output but for several classes");
    }
}

impl Feature {
    /// Keeps this feature's cells of an encoding where `from_record` of its sources come from the record.
    fn keep(&mut self, from_record: &[bool], encoded: &Encoded) {
        if self.cells.len() >= MAX_CELLS {
            let standing = &self.from_record;
            self.cells.retain(|key, _| key == standing);
        }
        self.cells.insert(from_record.to_vec(), Cells::of(encoded, self.slot));
    }
}

impl Cells {
    fn of(encoded: &Encoded, slot: Slot) -> Self {
        match slot {
            Slot::Number { start, len, first_curve, n_curves } => {
                let rows = encoded.dense.rows().into_iter();
                let dense = rows.flat_map(|row| (start..start + len).map(move |input| row[input]));
                let rows = encoded.positions.rows().into_iter();
                let curves = first_curve..first_curve + n_curves;
                let positions = rows.flat_map(|row| curves.clone().map(move |curve| row[curve]));
                Cells::Numbers(dense.collect(), positions.collect())
            }
            Slot::Code { index } => Cells::Codes(encoded.codes.column(index).to_vec()),
        }
    }

    /// Adds the addends of these cells.
    fn add(&self, slot: Slot, member: &Member, sums: &mut [f64]) {
        let width = member.bias.len();
        match (self, slot) {
            (Cells::Numbers(dense, positions), Slot::Number { start, len, first_curve, n_curves }) => {
                let addends = &member.dense[start * width..(start + len) * width];
                for (sum, cells) in sums.chunks_exact_mut(width).zip(dense.chunks_exact(len)) {
                    for (cell, addend) in cells.iter().zip(addends.chunks_exact(width)) {
                        add_multiple(sum, f64::from(*cell), addend);
                    }
                }
                let rows = sums.chunks_exact_mut(width).enumerate();
                for (row, sum) in rows {
                    for (curve, position) in (first_curve..).zip(&positions[row * n_curves..(row + 1) * n_curves]) {
                        add_point(sum, member, curve, *position, 1.0);
                    }
                }
            }
            (Cells::Codes(codes), Slot::Code { index }) => {
                for (sum, code) in sums.chunks_exact_mut(width).zip(codes) {
                    add_multiple(sum, 1.0, member.addend(index, *code));
                }
            }
            _ => unreachable!("a feature has one slot, and all of its cells are of that slot's kind"),
        }
    }

    /// Puts the addends of `new` in the place of these.
    fn exchange(&self, new: &Cells, slot: Slot, member: &Member, sums: &mut [f64]) {
        let width = member.bias.len();
        match (self, new, slot) {
            (
                Cells::Numbers(old, old_at),
                Cells::Numbers(new, new_at),
                Slot::Number { start, len, first_curve, n_curves },
            ) => {
                let addends = &member.dense[start * width..(start + len) * width];
                for (row, sum) in sums.chunks_exact_mut(width).enumerate() {
                    let cells = old[row * len..(row + 1) * len].iter().zip(&new[row * len..(row + 1) * len]);
                    for ((old, new), addend) in cells.zip(addends.chunks_exact(width)) {
                        if old != new {
                            add_multiple(sum, f64::from(*new) - f64::from(*old), addend);
                        }
                    }
                }
                for (row, sum) in sums.chunks_exact_mut(width).enumerate() {
                    let of_row = row * n_curves..(row + 1) * n_curves;
                    for ((curve, old), new) in (first_curve..).zip(&old_at[of_row.clone()]).zip(&new_at[of_row]) {
                        if old != new {
                            add_point(sum, member, curve, *new, 1.0);
                            add_point(sum, member, curve, *old, -1.0);
                        }
                    }
                }
            }
            (Cells::Codes(old), Cells::Codes(new), Slot::Code { index }) => {
                for ((sum, old), new) in sums.chunks_exact_mut(width).zip(old).zip(new) {
                    if old != new {
                        add_multiple(sum, 1.0, member.addend(index, *new));
                        add_multiple(sum, -1.0, member.addend(index, *old));
                    }
                }
            }
            _ => unreachable!("a feature has one slot, and all of its cells are of that slot's kind"),
        }
    }
}

fn add_multiple(sum: &mut [f64], scale: f64, addend: &[f32]) {
    sum.iter_mut().zip(addend).for_each(|(sum, addend)| *sum += scale * f64::from(*addend));
}

/// Adds `sign` times the addend at a position on a curve.
fn add_point(sum: &mut [f64], member: &Member, curve: usize, position: f32, sign: f64) {
    for (share, addend) in member.on_curve(curve, position).into_iter().flatten() {
        add_multiple(sum, sign * f64::from(share), addend);
    }
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

/// The background with the columns in the coalition set to the record's cells, encoded.
fn encode_mixed(predictor: &Predictor, background: &Batch, record: &[ColumnData], coalition: &[bool]) -> Encoded {
    let columns = background.columns().iter().zip(record).zip(coalition);
    let columns = columns.map(|((background, record), member)| if *member { record } else { background }.clone());
    let mixed = Batch::new(columns.collect(), None, None, background.n_rows());
    predictor.encoder().encode(predictor.spec(), &mixed)
}
