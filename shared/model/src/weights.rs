use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::{Architecture, Error, Readout};

/// Key of the description in the file's header. It is the only key there, because the order of several is not stable.
const NETWORK: &str = "network";

/// The numbers of a network, by name, with its architecture and its readout.
///
/// The file is safetensors with 32-bit floats, little endian, row-major. Member `m`'s tensors are called `member.m.NAME`,
/// with the names and shapes of [`Architecture::member_tensors`]; the header's `__metadata__` has, under `network`, a JSON
/// object with the [`Architecture`] and the [`Readout`]. Equal weights give equal bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    architecture: Architecture,
    readout: Readout,
    /// Values by tensor name; their shapes follow from the architecture.
    tensors: BTreeMap<String, Vec<f32>>,
}

/// What the file's header says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    architecture: Architecture,
    readout: Readout,
}

impl Weights {
    /// Weights from tensors by name, row-major, with a readout that changes nothing.
    ///
    /// # Errors
    /// [`Error::Architecture`], [`Error::MissingTensor`], [`Error::WrongTensor`], [`Error::UnknownTensor`] and
    /// [`Error::NotFinite`].
    pub fn new(architecture: Architecture, tensors: BTreeMap<String, Vec<f32>>) -> Result<Self, Error> {
        architecture.check()?;
        let mut n_expected = 0;
        for (name, expected) in architecture.tensors() {
            let Some(values) = tensors.get(&name) else {
                return Err(Error::MissingTensor { name, expected });
            };
            if Some(values.len()) != n_elements(&expected) {
                let actual = format!("{} values", values.len());
                return Err(Error::WrongTensor { name, expected, actual });
            }
            if !values.iter().all(|value| value.is_finite()) {
                return Err(Error::NotFinite(name));
            }
            n_expected += 1;
        }
        if tensors.len() > n_expected {
            let known: std::collections::HashSet<String> = architecture.tensors().map(|(name, _)| name).collect();
            let unknown = tensors.keys().find(|name| !known.contains(*name));
            return Err(Error::UnknownTensor(unknown.cloned().unwrap_or_default()));
        }
        Ok(Self { architecture, readout: Readout::default(), tensors })
    }

    /// The same network with another readout.
    ///
    /// # Errors
    /// [`Error::Readout`] when it does not belong to a network of so many outputs.
    pub fn with_readout(self, readout: Readout) -> Result<Self, Error> {
        readout.check(self.architecture.n_outputs, self.architecture.members.len())?;
        Ok(Self { readout, ..self })
    }

    /// The members of several weights as one network, in that order, with a readout that changes nothing.
    ///
    /// # Errors
    /// [`Error::Members`] when they do not read the same inputs for the same outputs, and [`Error::Architecture`] when
    /// there are none.
    pub fn join(parts: Vec<Weights>) -> Result<Self, Error> {
        let Some(first) = parts.first() else {
            return Err(Error::Architecture("it has no members"));
        };
        let mut architecture = first.architecture.clone().with(Vec::new());
        let mut tensors = BTreeMap::new();
        for part in parts {
            if part.architecture.clone().with(Vec::new()) != architecture.clone().with(Vec::new()) {
                return Err(Error::Members(architecture.members.len()));
            }
            let Weights { architecture: of_part, tensors: mut of_tensors, .. } = part;
            for (member, shape) in of_part.members.iter().enumerate() {
                for (name, _) in of_part.member_tensors(shape) {
                    if let Some(values) = of_tensors.remove(&tensor_name(member, &name)) {
                        tensors.insert(tensor_name(architecture.members.len(), &name), values);
                    }
                }
                architecture.members.push(shape.clone());
            }
        }
        Self::new(architecture, tensors)
    }

    /// The shape of the network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// What stands between the members' mean and the answer.
    pub fn readout(&self) -> &Readout {
        &self.readout
    }

    /// A member's tensor, row-major; `name` as in [`Architecture::member_tensors`]. None for a name that it does not list.
    pub fn tensor(&self, member: usize, name: &str) -> Option<&[f32]> {
        self.tensors.get(&tensor_name(member, name)).map(Vec::as_slice)
    }

    /// A tensor that the architecture lists: it was there when these weights were checked.
    pub(crate) fn known(&self, member: usize, name: &str) -> &[f32] {
        self.tensor(member, name).unwrap_or_default()
    }

    /// The weights as a safetensors file. Equal weights give equal bytes.
    ///
    /// # Errors
    /// [`Error::Write`] when the tensors are too large for the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let description = Description { architecture: self.architecture.clone(), readout: self.readout.clone() };
        let description = serde_json::to_string(&description).map_err(Error::Description)?;
        let metadata = HashMap::from([(NETWORK.to_owned(), description)]);
        let mut parts = Vec::with_capacity(self.tensors.len());
        for (name, shape) in self.architecture.tensors() {
            let values = self.tensors.get(&name).map(Vec::as_slice).unwrap_or_default();
            parts.push((name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()));
        }
        let views = parts
            .iter()
            .map(|(name, shape, bytes)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(Error::Write)?;
        safetensors::serialize(views, Some(metadata)).map_err(Error::Write)
    }

    /// The weights of a safetensors file.
    ///
    /// # Errors
    /// Any of [`Error`]'s that concern weights; damaged bytes never panic. A flipped bit inside a number can go unnoticed
    /// here: whoever reads a version compares digests first.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(Error::File)?;
        let description = header.metadata().as_ref().and_then(|map| map.get(NETWORK)).ok_or(Error::NoDescription)?;
        let Description { architecture, readout } = serde_json::from_str(description).map_err(Error::Description)?;
        architecture.check()?;
        let file = SafeTensors::deserialize(bytes).map_err(Error::File)?;
        let mut tensors = BTreeMap::new();
        for (name, expected) in architecture.tensors() {
            let Ok(view) = file.tensor(&name) else {
                return Err(Error::MissingTensor { name, expected });
            };
            if view.dtype() != Dtype::F32 || view.shape() != expected {
                let actual = format!("{} of shape {:?}", view.dtype(), view.shape());
                return Err(Error::WrongTensor { name, expected, actual });
            }
            let (values, _) = view.data().as_chunks::<4>();
            tensors.insert(name, values.iter().map(|value| f32::from_le_bytes(*value)).collect());
        }
        if let Some(unknown) = file.names().into_iter().filter(|name| !tensors.contains_key(*name)).min() {
            return Err(Error::UnknownTensor(unknown.to_owned()));
        }
        Self::new(architecture, tensors)?.with_readout(readout)
    }
}

impl Architecture {
    /// Names and shapes of all tensors, member by member.
    fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>)> {
        let members = self.members.iter().enumerate();
        members.flat_map(|(member, shape)| {
            let tensors = self.member_tensors(shape).into_iter();
            tensors.map(move |(name, shape)| (tensor_name(member, &name), shape))
        })
    }
}

fn tensor_name(member: usize, name: &str) -> String {
    format!("member.{member}.{name}")
}

/// Elements of a tensor; none when there are more than fit in memory.
fn n_elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, width| product.checked_mul(*width))
}
