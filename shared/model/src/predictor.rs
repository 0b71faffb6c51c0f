use std::sync::Arc;

use features::{Encoded, Encoder, Layout, Slot, TargetCode};
use spec::{Batch, BatchBuilder, Origin, Record, Spec, Task, Transform, Value};

use crate::architecture::n_outputs;
use crate::response::{Response, intervals};
use crate::{Architecture, Error, Network, Predictions, Readout, Weights};

/// Most rows that are encoded at a time.
const ROWS_TOGETHER: usize = 65_536;

/// A version that is ready to answer: spec, encoder and network, known to fit each other.
#[derive(Clone, Debug)]
pub struct Predictor {
    spec: Arc<Spec>,
    encoder: Encoder,
    network: Network,
    readout: Readout,
    response: Response,
}

impl Predictor {
    /// Reads a version's parts.
    ///
    /// # Errors
    /// Those of [`Weights::from_bytes`] for weights that cannot be read, [`Error::Encoder`] for an encoder that cannot be
    /// read or is of other features, [`Error::Mismatch`] for other parts that do not fit each other.
    pub fn load(spec: Arc<Spec>, encoder: &[u8], weights: &[u8]) -> Result<Self, Error> {
        let encoder = Encoder::from_bytes(encoder).map_err(Error::Encoder)?;
        Self::new(spec, encoder, &Weights::from_bytes(weights)?)
    }

    /// A predictor of parts in memory.
    ///
    /// # Errors
    /// [`Error::Encoder`] and [`Error::Mismatch`] for parts that do not fit each other.
    pub fn new(spec: Arc<Spec>, encoder: Encoder, weights: &Weights) -> Result<Self, Error> {
        encoder.check(&spec).map_err(Error::Encoder)?;
        check_features(&spec, &encoder)?;
        check_target(&spec, encoder.target(), weights.architecture())?;
        check_inputs(&spec, encoder.layout(), weights)?;
        let readout = weights.readout().clone();
        let response = Response::new(encoder.target(), spec.task, weights.architecture(), &readout);
        Ok(Self { spec, encoder, network: Network::new(weights), readout, response })
    }

    /// The spec of the version.
    pub fn spec(&self) -> &Arc<Spec> {
        &self.spec
    }

    /// The encoder of the version.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The network of the version.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Predictions for the rows of a batch, in order. The same rows give the same bits. Of many rows only some are encoded at
    /// a time.
    pub fn predict(&self, batch: &Batch) -> Predictions {
        let predict = |batch: &Batch| self.predict_encoded(&self.encoder.encode(&self.spec, batch));
        if batch.n_rows() <= ROWS_TOGETHER {
            return predict(batch);
        }
        let rows: Vec<usize> = (0..batch.n_rows()).collect();
        let (first, others) = rows.split_at(ROWS_TOGETHER);
        let mut predictions = predict(&batch.select(first));
        others.chunks(ROWS_TOGETHER).for_each(|part| predictions.extend(predict(&batch.select(part))));
        predictions
    }

    /// Predictions for records, in order: as [`Predictor::predict`] of a batch of them, without the cost of one where there
    /// is a single record.
    pub fn predict_records(&self, records: &[Record]) -> Predictions {
        if let [record] = records {
            return self.predict_encoded(&self.encoder.encode_record(&self.spec, record));
        }
        let mut rows = BatchBuilder::new(self.spec.columns.values().map(|column| column.kind), None, false);
        for record in records {
            rows.push(record.values(), &Value::Missing, f64::NAN);
        }
        self.predict(&rows.finish())
    }

    /// Predictions for rows that this version's encoder has encoded.
    pub fn predict_encoded(&self, encoded: &Encoded) -> Predictions {
        self.response.predictions(&self.network.outputs(encoded), encoded.n_rows())
    }

    /// What stands between the members' mean and the answer.
    pub fn readout(&self) -> &Readout {
        &self.readout
    }

    /// The prediction intervals around a regression's answers, lower and upper end in target units. None for a version
    /// without them, and for probabilities.
    pub fn intervals(&self, predictions: &Predictions) -> Option<Vec<[f64; 2]>> {
        match (predictions, &self.readout.interval) {
            (Predictions::Numbers(numbers), Some(interval)) => {
                Some(intervals(self.encoder.target(), interval, numbers))
            }
            _ => None,
        }
    }

    pub(crate) fn response(&self) -> &Response {
        &self.response
    }
}

fn mismatch<T>(message: String) -> Result<T, Error> {
    Err(Error::Mismatch(message))
}

/// Each feature's slot is made of the same raw columns as in the spec, and the slots fill the layout.
///
/// Names and kinds have been compared before.
fn check_features(spec: &Spec, encoder: &Encoder) -> Result<(), Error> {
    let (features, slots) = (spec.features(), encoder.slots());
    let layout = encoder.layout();
    let (mut dense_end, mut n_curves, mut n_codes) = (0, 0, 0);
    for (feature, slot) in features.iter().zip(slots) {
        let sources = match feature.origin {
            Origin::Raw(index) => vec![index],
            Origin::Derived(index) => spec.derivations().sources(index).to_vec(),
        };
        if sources != slot.sources {
            return mismatch(format!("`{}` is made of other columns in the encoder than in the spec", slot.name));
        }
        match slot.slot {
            Slot::Number { start, len, first_curve, n_curves: of_slot }
                if start == dense_end && first_curve == n_curves =>
            {
                dense_end = start.saturating_add(len);
                n_curves = n_curves.saturating_add(of_slot);
            }
            Slot::Code { index } if index == n_codes => n_codes += 1,
            _ => return mismatch(format!("`{}` does not follow the feature before it in the encoder", slot.name)),
        }
    }
    if dense_end != layout.n_dense || n_curves != layout.bins.len() || n_codes != layout.cardinalities.len() {
        return mismatch("the encoder's features do not fill its layout".to_owned());
    }
    Ok(())
}

fn check_target(spec: &Spec, target: &TargetCode, architecture: &Architecture) -> Result<(), Error> {
    match target {
        TargetCode::Number { plain, log } => {
            if spec.task != Task::Regression {
                return mismatch("the encoder's target is a number, the spec's a class".to_owned());
            }
            let scales = (plain.is_some(), log.is_some());
            let fits = match spec.target.transform {
                Transform::Auto => scales.0,
                Transform::None => scales == (true, false),
                Transform::Log => scales == (false, true),
            };
            if !fits {
                return mismatch("the encoder's target is on another scale than the spec's".to_owned());
            }
            if architecture.members.iter().any(|member| !(if member.log { scales.1 } else { scales.0 })) {
                return mismatch("a member of the network is on a scale that the encoder's target lacks".to_owned());
            }
        }
        TargetCode::Classes { labels, positive } => {
            if spec.task == Task::Regression {
                return mismatch("the encoder's target is a class, the spec's a number".to_owned());
            }
            if *labels != spec.target.classes || (spec.task == Task::Binary && *positive != spec.positive_index()) {
                return mismatch("the encoder's classes are not the spec's".to_owned());
            }
        }
    }
    Ok(())
}

fn check_inputs(spec: &Spec, layout: &Layout, weights: &Weights) -> Result<(), Error> {
    let architecture = weights.architecture();
    if architecture.n_dense != layout.n_dense {
        let (network, encoder) = (architecture.n_dense, layout.n_dense);
        return mismatch(format!("the network reads {network} dense inputs, the encoder gives {encoder}"));
    }
    if architecture.bins != layout.bins {
        let (network, encoder) = (&architecture.bins, &layout.bins);
        return mismatch(format!("the network has curves of {network:?} bins, the encoder gives {encoder:?}"));
    }
    if architecture.cardinalities != layout.cardinalities {
        let (network, encoder) = (&architecture.cardinalities, &layout.cardinalities);
        return mismatch(format!("the network reads categories of {network:?} codes, the encoder gives {encoder:?}"));
    }
    let expected = n_outputs(spec);
    if architecture.n_outputs != expected {
        let actual = architecture.n_outputs;
        return mismatch(format!("the network has {actual} outputs, a {:?} task needs {expected}", spec.task));
    }
    Ok(())
}
