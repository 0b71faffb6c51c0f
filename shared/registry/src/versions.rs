use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, Registry, Result, checked, matches_digest, model_path, read_all, sha256};

const MANIFEST: &str = "manifest.json";

/// The id of a version: the SHA-256 digest of what its parts contain, as 64 hexadecimal digits.
///
/// Equal parts have the equal id, whoever published them and when.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionId(String);

impl VersionId {
    /// The first 12 digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the version whose parts have these digests: the digest of the lines `NAME SHA256`, in the order of
    /// [`Part::IDENTITY`].
    fn from_digests(digests: &BTreeMap<Part, PartDigest>) -> Self {
        let mut listing = String::new();
        for part in Part::IDENTITY {
            let digest = digests.get(&part).map_or("", |digest| &digest.sha256);
            listing.push_str(&format!("{part} {digest}\n"));
        }
        Self(sha256(listing.as_bytes()))
    }
}

impl FromStr for VersionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == 64 && text.bytes().all(is_digit) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::VersionId { text: text.chars().take(80).collect() })
    }
}

impl TryFrom<String> for VersionId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<VersionId> for String {
    fn from(version: VersionId) -> Self {
        version.0
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VersionId({})", self.short())
    }
}

/// One named part of a version. Each is read and written by one crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Part {
    /// The model spec it was trained with.
    #[serde(rename = "spec.yaml")]
    Spec,
    /// What turns a record into the network's input.
    #[serde(rename = "encoder.json")]
    Encoder,
    /// The network.
    #[serde(rename = "weights.safetensors")]
    Weights,
    /// The drift reference: a profile of its training data.
    #[serde(rename = "reference.json")]
    Reference,
    /// The background rows of SHAP.
    #[serde(rename = "background.json")]
    Background,
    /// Its metrics when it was trained.
    #[serde(rename = "metrics.json")]
    Metrics,
    /// Where it came from: batches, job, run, times. Digested like the others but outside the id.
    #[serde(rename = "lineage.json")]
    Lineage,
    /// Everything that was measured on it. Optional.
    #[serde(rename = "evidence.json")]
    Evidence,
    /// The settings that were tried for it, and how they did. Optional: of versions whose spec asks for a search.
    #[serde(rename = "search.json")]
    Search,
    /// What it is for and how good it is, as Markdown. Optional.
    #[serde(rename = "model-card.md")]
    ModelCard,
    /// The same as a page. Optional.
    #[serde(rename = "model-card.html")]
    ModelCardPage,
    /// What it learnt from, as Markdown. Optional.
    #[serde(rename = "data-card.md")]
    DataCard,
    /// The same as a page. Optional.
    #[serde(rename = "data-card.html")]
    DataCardPage,
}

impl Part {
    /// The parts that define the id.
    pub const IDENTITY: [Part; 6] =
        [Part::Spec, Part::Encoder, Part::Weights, Part::Reference, Part::Background, Part::Metrics];

    /// The parts that a version may lack, as older ones do. They are digested like the others but outside the id.
    pub const OPTIONAL: [Part; 6] =
        [Part::Evidence, Part::Search, Part::ModelCard, Part::ModelCardPage, Part::DataCard, Part::DataCardPage];

    /// The part whose file has this name.
    fn of_file(name: &str) -> Option<Part> {
        let mut all = Part::IDENTITY.into_iter().chain([Part::Lineage]).chain(Part::OPTIONAL);
        all.find(|part| part.file_name() == name)
    }

    /// The name of its file in the version's folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Part::Spec => "spec.yaml",
            Part::Encoder => "encoder.json",
            Part::Weights => "weights.safetensors",
            Part::Reference => "reference.json",
            Part::Background => "background.json",
            Part::Metrics => "metrics.json",
            Part::Lineage => "lineage.json",
            Part::Evidence => "evidence.json",
            Part::Search => "search.json",
            Part::ModelCard => "model-card.md",
            Part::ModelCardPage => "model-card.html",
            Part::DataCard => "data-card.md",
            Part::DataCardPage => "data-card.html",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file_name())
    }
}

/// What a part must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDigest {
    /// The SHA-256 digest of its bytes in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// A published version: its parts and their digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The model.
    pub model: String,
    /// The version's id.
    pub version: VersionId,
    /// What each part must be, by file name.
    pub parts: BTreeMap<Part, PartDigest>,
    /// When it was first published.
    pub created_at: DateTime<Utc>,
}

impl Registry {
    /// Publishes a version: the six parts of [`Part::IDENTITY`], any of [`Part::OPTIONAL`], and its lineage.
    ///
    /// The same identity gives the same id, and a version that is already there is left as it is, with its lineage and the
    /// optional parts that it has. The manifest is written last, so that a version is there whole or not at all.
    ///
    /// # Errors
    /// [`Error::Parts`] when one of the six is missing, a part is given twice, or the lineage is among them.
    pub async fn publish(&self, model: &str, parts: Vec<(Part, Bytes)>, lineage: Bytes) -> Result<VersionId> {
        checked("model", model)?;
        for part in Part::IDENTITY.into_iter().chain([Part::Lineage]).chain(Part::OPTIONAL) {
            let times = parts.iter().filter(|(given, _)| *given == part).count();
            let allowed = match part {
                Part::Lineage => 0..=0,
                _ if Part::OPTIONAL.contains(&part) => 0..=1,
                _ => 1..=1,
            };
            if !allowed.contains(&times) {
                return Err(Error::Parts { model: model.to_owned(), part, times });
            }
        }
        let (optional, parts): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|(part, _)| Part::OPTIONAL.contains(part));
        let mut digests: BTreeMap<Part, PartDigest> = parts.iter().map(|(part, body)| (*part, digest(body))).collect();
        let version = VersionId::from_digests(&digests);
        let manifest_path = version_path(model, &version, MANIFEST)?;
        if self.store.try_get(&manifest_path).await?.is_some() {
            return Ok(version);
        }
        read_all(parts, |(part, body)| {
            let path = version_path(model, &version, part.file_name());
            async move { Ok(self.store.put(&path?, body).await?) }
        })
        .await?;
        // Two publishers of the same identity may differ in what stands outside it; what is stored first is what either
        // manifest describes.
        let outside = optional.into_iter().chain([(Part::Lineage, lineage)]);
        let outside = read_all(outside, |(part, body)| {
            let path = version_path(model, &version, part.file_name());
            async move {
                let path = path?;
                let is_first = self.store.put_new(&path, body.clone()).await?;
                let body = if is_first { body } else { self.store.get(&path).await? };
                Ok((part, digest(&body)))
            }
        });
        digests.extend(outside.await?);
        let manifest =
            Manifest { model: model.to_owned(), version: version.clone(), parts: digests, created_at: self.now() };
        self.store.put_json_new(&manifest_path, &manifest).await?;
        Ok(version)
    }

    /// The manifest of a version.
    ///
    /// # Errors
    /// [`Error::VersionNotFound`] when it was not published, [`Error::ManifestMismatch`] when it was tampered with.
    pub async fn manifest(&self, model: &str, version: &VersionId) -> Result<Manifest> {
        let path = version_path(model, version, MANIFEST)?;
        let manifest: Manifest = self
            .store
            .try_get_json(&path)
            .await?
            .ok_or_else(|| Error::VersionNotFound { model: model.to_owned(), version: version.clone() })?;
        // The id is the digest of the digests, so a manifest proves itself.
        if VersionId::from_digests(&manifest.parts) != *version || manifest.version != *version {
            return Err(Error::ManifestMismatch { model: model.to_owned(), version: version.clone() });
        }
        Ok(manifest)
    }

    /// One part of a version.
    ///
    /// # Errors
    /// [`Error::PartNotFound`] when it is one of [`Part::OPTIONAL`] that the version was published without,
    /// [`Error::DigestMismatch`] when it is missing or not what was published; else as [`Registry::manifest`].
    pub async fn part(&self, model: &str, version: &VersionId, part: Part) -> Result<Bytes> {
        let [body] = self.parts(model, version, [part]).await?;
        Ok(body)
    }

    /// Several parts of a version, read at once together with the manifest: one round trip to the store.
    ///
    /// # Errors
    /// As [`Registry::part`].
    pub async fn parts<const N: usize>(
        &self,
        model: &str,
        version: &VersionId,
        parts: [Part; N],
    ) -> Result<[Bytes; N]> {
        let reads = futures::future::join_all(parts.map(|part| async move {
            let path = version_path(model, version, part.file_name())?;
            Ok::<_, Error>(self.store.try_get(&path).await?)
        }));
        let (manifest, bodies) = futures::join!(self.manifest(model, version), reads);
        let manifest = manifest?;
        let mut checked = [const { Bytes::new() }; N];
        for ((slot, body), part) in checked.iter_mut().zip(bodies).zip(parts) {
            let digest = manifest.parts.get(&part);
            if digest.is_none() && Part::OPTIONAL.contains(&part) {
                return Err(Error::PartNotFound { model: model.to_owned(), version: version.clone(), part });
            }
            *slot = body?
                .filter(|body| digest.is_some_and(|digest| matches_digest(body, &digest.sha256)))
                .ok_or_else(|| Error::DigestMismatch { model: model.to_owned(), version: version.clone(), part })?;
        }
        Ok(checked)
    }

    /// Every published version of a model, oldest first.
    pub async fn versions(&self, model: &str) -> Result<Vec<Manifest>> {
        let folders = self.store.folders(&model_path(model, "versions")?).await?;
        let ids: Vec<VersionId> = folders.iter().filter_map(|name| name.parse().ok()).collect();
        let manifests = read_all(ids, |version| async move {
            match self.manifest(model, &version).await {
                Ok(manifest) => Ok(Some(manifest)),
                // Parts without a manifest are a version that was never finished.
                Err(Error::VersionNotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await?;
        let mut manifests: Vec<Manifest> = manifests.into_iter().flatten().collect();
        manifests.sort_by(|a, b| (a.created_at, &a.version).cmp(&(b.created_at, &b.version)));
        Ok(manifests)
    }

    /// Stores a file beside the parts of a version, such as `model.onnx`, over what may be there.
    ///
    /// # Errors
    /// [`Error::Name`] when the name is that of a part.
    pub async fn put_extra(&self, model: &str, version: &VersionId, name: &str, body: impl Into<Bytes>) -> Result<()> {
        let path = extra_path(model, version, name)?;
        Ok(self.store.put(&path, body).await?)
    }

    /// A file beside the parts of a version, if there is one.
    pub async fn extra(&self, model: &str, version: &VersionId, name: &str) -> Result<Option<Bytes>> {
        Ok(self.store.try_get(&extra_path(model, version, name)?).await?)
    }

    /// The names of the files beside the parts of a version, in order.
    pub async fn extras(&self, model: &str, version: &VersionId) -> Result<Vec<String>> {
        let folder = model_path(model, &format!("versions/{version}"))?;
        let entries = self.store.list(&folder).await?;
        let names = entries.iter().map(|entry| entry.name());
        Ok(names.filter(|name| !is_reserved(name)).map(str::to_owned).collect())
    }
}

fn digest(body: &[u8]) -> PartDigest {
    PartDigest { sha256: sha256(body), size_bytes: body.len() as u64 }
}

fn version_path(model: &str, version: &VersionId, name: &str) -> Result<String> {
    model_path(model, &format!("versions/{version}/{name}"))
}

fn extra_path(model: &str, version: &VersionId, name: &str) -> Result<String> {
    checked("extra file", name)?;
    if is_reserved(name) {
        return Err(Error::Name { what: "extra file", name: name.to_owned() });
    }
    version_path(model, version, name)
}

fn is_reserved(name: &str) -> bool {
    name == MANIFEST || Part::of_file(name).is_some()
}
