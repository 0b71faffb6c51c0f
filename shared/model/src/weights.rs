use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::{Architecture, Error};

/// Key of the architecture in the file's header. It is the only key there, because the order of several is not stable.
const ARCHITECTURE: &str = "architecture";

/// The numbers of a network, by name, and its architecture.
///
/// The file is safetensors with 32-bit floats, little endian, row-major. Member `m`'s tensors are called
/// `member.m.embedding.K.weight`, `member.m.layer.L.weight` and `member.m.layer.L.bias` (see
/// [`Architecture::member_tensors`]); the header's `__metadata__` has the architecture as JSON. Equal weights give equal
/// bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    architecture: Architecture,
    /// Values by tensor name; their shapes follow from the architecture.
    tensors: BTreeMap<String, Vec<f32>>,
}

impl Weights {
    /// Weights from tensors by name, row-major.
    ///
    /// # Errors
    /// [`Error::Architecture`], [`Error::MissingTensor`], [`Error::WrongTensor`], [`Error::UnknownTensor`] and
    /// [`Error::NotFinite`].
    pub fn new(architecture: Architecture, tensors: BTreeMap<String, Vec<f32>>) -> Result<Self, Error> {
        architecture.check()?;
        let mut n_expected = 0;
        for member in 0..architecture.members {
            for (name, expected) in architecture.member_tensors() {
                let name = tensor_name(member, &name);
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
        }
        if tensors.len() > n_expected {
            let mut known = std::collections::HashSet::new();
            for member in 0..architecture.members {
                known.extend(architecture.member_tensors().iter().map(|(name, _)| tensor_name(member, name)));
            }
            let unknown = tensors.keys().find(|name| !known.contains(*name));
            return Err(Error::UnknownTensor(unknown.cloned().unwrap_or_default()));
        }
        Ok(Self { architecture, tensors })
    }

    /// The members of several weights as one network, in that order.
    ///
    /// # Errors
    /// [`Error::Members`] when their architectures differ in more than the number of members, and
    /// [`Error::Architecture`] when there are none.
    pub fn join(parts: Vec<Weights>) -> Result<Self, Error> {
        let Some(first) = parts.first() else {
            return Err(Error::Architecture("it has no members"));
        };
        let mut architecture = first.architecture.of_member();
        architecture.members = 0;
        let mut tensors = BTreeMap::new();
        for part in parts {
            if part.architecture.of_member() != (Architecture { members: 1, ..architecture.clone() }) {
                return Err(Error::Members(architecture.members));
            }
            let Weights { architecture: of_part, tensors: mut of_tensors } = part;
            for member in 0..of_part.members {
                for (name, _) in of_part.member_tensors() {
                    if let Some(values) = of_tensors.remove(&tensor_name(member, &name)) {
                        tensors.insert(tensor_name(architecture.members, &name), values);
                    }
                }
                architecture.members += 1;
            }
        }
        Self::new(architecture, tensors)
    }

    /// The shape of the network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
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
        let architecture = serde_json::to_string(&self.architecture).map_err(Error::ReadArchitecture)?;
        let metadata = HashMap::from([(ARCHITECTURE.to_owned(), architecture)]);
        let mut parts = Vec::with_capacity(self.tensors.len());
        for member in 0..self.architecture.members {
            for (name, shape) in self.architecture.member_tensors() {
                let bytes: Vec<u8> = self.known(member, &name).iter().flat_map(|value| value.to_le_bytes()).collect();
                parts.push((tensor_name(member, &name), shape, bytes));
            }
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
        let architecture =
            header.metadata().as_ref().and_then(|map| map.get(ARCHITECTURE)).ok_or(Error::NoArchitecture)?;
        let architecture: Architecture = serde_json::from_str(architecture).map_err(Error::ReadArchitecture)?;
        architecture.check()?;
        let file = SafeTensors::deserialize(bytes).map_err(Error::File)?;
        let mut tensors = BTreeMap::new();
        for member in 0..architecture.members {
            for (name, expected) in architecture.member_tensors() {
                let name = tensor_name(member, &name);
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
        }
        if let Some(unknown) = file.names().into_iter().filter(|name| !tensors.contains_key(*name)).min() {
            return Err(Error::UnknownTensor(unknown.to_owned()));
        }
        Self::new(architecture, tensors)
    }
}

fn tensor_name(member: usize, name: &str) -> String {
    format!("member.{member}.{name}")
}

/// Elements of a tensor; none when there are more than fit in memory.
fn n_elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, width| product.checked_mul(*width))
}
