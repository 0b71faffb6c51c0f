use fault::{Fault, Kind};

use super::{MODEL, fixtures, parts, published};
use crate::{Error, Part, VersionId};

#[tokio::test]
async fn equal_parts_have_one_id_and_are_written_once() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let first = published(registry, "w1").await;
        let manifest = registry.manifest(MODEL, &first).await.unwrap();
        let mut reordered = parts("w1");
        reordered.reverse();
        let again = registry.publish(MODEL, reordered, "another lineage".into()).await.unwrap();
        assert_eq!(again, first);
        assert_eq!(registry.manifest(MODEL, &first).await.unwrap(), manifest, "nothing is rewritten");
        assert_eq!(registry.part(MODEL, &first, Part::Lineage).await.unwrap(), "the lineage");
        let other = published(registry, "w2").await;
        assert_ne!(other, first);
        let versions: Vec<VersionId> =
            registry.versions(MODEL).await.unwrap().into_iter().map(|manifest| manifest.version).collect();
        assert_eq!(versions, [first.clone(), other], "oldest first");
        let read = registry.parts(MODEL, &first, [Part::Weights, Part::Spec]).await.unwrap();
        assert_eq!(read, ["w1", "the spec.yaml"]);
        assert_eq!(manifest.parts.len(), 7);
        assert_eq!(registry.models().await.unwrap(), [MODEL]);
    }
}

#[tokio::test]
async fn the_id_is_the_digest_of_the_listing() {
    let registry = &fixtures()[0].registry;
    let listing: String = Part::IDENTITY
        .into_iter()
        .zip(parts("w1"))
        .map(|(part, (_, body))| format!("{part} {}\n", crate::sha256(&body)))
        .collect();
    assert!(listing.starts_with("spec.yaml "));
    let version = published(registry, "w1").await;
    assert_eq!(version.to_string(), crate::sha256(listing.as_bytes()));
    assert_eq!(version.short(), &version.as_str()[..12]);
    let json = serde_json::to_string(&version).unwrap();
    assert_eq!(serde_json::from_str::<VersionId>(&json).unwrap(), version);
}

#[test]
fn what_is_no_version_id_is_refused() {
    for text in ["", "latest", "../x", &"a".repeat(63), &"A".repeat(64), &"g".repeat(64), &"é".repeat(32)] {
        assert!(matches!(text.parse::<VersionId>(), Err(Error::VersionId { .. })), "{text}");
        assert!(serde_json::from_value::<VersionId>(serde_json::json!(text)).is_err(), "{text}");
    }
}

#[tokio::test]
async fn damaged_parts_are_refused() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let version = published(registry, "the weights").await;
        let path = format!("models/{MODEL}/versions/{version}/weights.safetensors");
        for (damage, body) in [("truncated", "the weight"), ("flipped", "the weighus"), ("empty", "")] {
            registry.store().put(&path, body).await.unwrap();
            let error = registry.part(MODEL, &version, Part::Weights).await.unwrap_err();
            let expected = format!("weights.safetensors of version {version} of {MODEL} does not match its digest");
            assert_eq!(error.to_string(), expected, "{damage}");
            assert_eq!(error.kind(), Kind::Upstream);
        }
        registry.store().delete(&path).await.unwrap();
        let error = registry.part(MODEL, &version, Part::Weights).await.unwrap_err();
        assert!(matches!(error, Error::DigestMismatch { part: Part::Weights, .. }), "missing");
        assert_eq!(registry.part(MODEL, &version, Part::Spec).await.unwrap(), "the spec.yaml");
    }
}

#[tokio::test]
async fn a_manifest_with_other_digests_is_refused() {
    let registry = &fixtures()[0].registry;
    let (one, two) = (published(registry, "w1").await, published(registry, "w2").await);
    let path = |version| format!("models/{MODEL}/versions/{version}/manifest.json");
    let swapped = registry.store().get(&path(two)).await.unwrap();
    registry.store().put(&path(one.clone()), swapped).await.unwrap();
    let error = registry.part(MODEL, &one, Part::Weights).await.unwrap_err();
    assert!(matches!(error, Error::ManifestMismatch { .. }), "{error:?}");
}

#[tokio::test]
async fn a_half_written_version_does_not_exist() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let version = published(registry, "w1").await;
        let folder = format!("models/{MODEL}/versions/{version}");
        registry.store().delete(&format!("{folder}/manifest.json")).await.unwrap();
        registry.store().put(&format!("{folder}/spec.yaml"), "left by a process that died").await.unwrap();
        assert!(registry.versions(MODEL).await.unwrap().is_empty());
        let error = registry.part(MODEL, &version, Part::Weights).await.unwrap_err();
        assert!(matches!(error, Error::VersionNotFound { .. }));
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(published(registry, "w1").await, version, "publishing again heals it");
        assert_eq!(registry.part(MODEL, &version, Part::Spec).await.unwrap(), "the spec.yaml");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn publishers_at_once_agree() {
    for fixture in fixtures() {
        let publishers = (0..8).map(|publisher| {
            let registry = fixture.registry.clone();
            let lineage = format!("lineage {publisher}");
            tokio::spawn(async move { registry.publish(MODEL, parts("w1"), lineage.into()).await.unwrap() })
        });
        let ids: Vec<VersionId> = futures::future::join_all(publishers).await.into_iter().map(Result::unwrap).collect();
        assert!(ids.iter().all(|id| *id == ids[0]));
        let lineage = fixture.registry.part(MODEL, &ids[0], Part::Lineage).await.unwrap();
        assert!(lineage.starts_with(b"lineage "), "one lineage won, and the manifest describes it");
    }
}

#[tokio::test]
async fn optional_parts_stand_outside_the_id() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let with = |evidence: &'static str| {
            let mut with = parts("w1");
            with.insert(0, (Part::Evidence, evidence.into()));
            with.push((Part::ModelCardPage, "<p>page".into()));
            with
        };
        let version = registry.publish(MODEL, with("first"), "the lineage".into()).await.unwrap();
        assert_eq!(registry.publish(MODEL, with("second"), "another".into()).await.unwrap(), version);
        assert_eq!(published(registry, "w1").await, version, "the identity alone makes the id");
        let read = registry.parts(MODEL, &version, [Part::Evidence, Part::ModelCardPage, Part::Weights]).await.unwrap();
        assert_eq!(read, ["first", "<p>page", "w1"], "what is there is left as it is");
        assert_eq!(registry.manifest(MODEL, &version).await.unwrap().parts.len(), 9);
        assert!(registry.extras(MODEL, &version).await.unwrap().is_empty(), "they are parts, not extra files");
        let error = registry.part(MODEL, &version, Part::DataCard).await.unwrap_err();
        assert_eq!(error.to_string(), format!("version {version} of {MODEL} has no data-card.md"));
        assert_eq!(error.kind(), Kind::NotFound);

        let path = format!("models/{MODEL}/versions/{version}/evidence.json");
        registry.store().put(&path, "changed").await.unwrap();
        let error = registry.part(MODEL, &version, Part::Evidence).await.unwrap_err();
        assert!(matches!(error, Error::DigestMismatch { part: Part::Evidence, .. }), "they are digested: {error}");
    }
}

#[tokio::test]
async fn a_publisher_that_died_leaves_no_contradiction() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let with = |card: &'static str| [parts("w1"), vec![(Part::DataCard, card.into())]].concat();
        let version = registry.publish(MODEL, with("first"), "the lineage".into()).await.unwrap();
        let folder = format!("models/{MODEL}/versions/{version}");
        registry.store().delete(&format!("{folder}/manifest.json")).await.unwrap();
        registry.publish(MODEL, with("second"), "another".into()).await.unwrap();
        let read = registry.parts(MODEL, &version, [Part::DataCard, Part::Lineage]).await.unwrap();
        assert_eq!(read, ["first", "the lineage"], "the manifest describes what was stored first");
    }
}

#[tokio::test]
async fn incomplete_parts_are_refused() {
    let registry = &fixtures()[0].registry;
    let mut missing = parts("w1");
    missing.pop();
    let mut twice = parts("w1");
    twice.push((Part::Spec, "again".into()));
    let mut lineage = parts("w1");
    lineage.push((Part::Lineage, "x".into()));
    let mut cards = parts("w1");
    cards.extend([(Part::DataCard, "one".into()), (Part::DataCard, "two".into())]);
    let cases =
        [(missing, Part::Metrics, 0), (twice, Part::Spec, 2), (lineage, Part::Lineage, 1), (cards, Part::DataCard, 2)];
    for (parts, wrong, n_times) in cases {
        let error = registry.publish(MODEL, parts, "l".into()).await.unwrap_err();
        assert!(matches!(error, Error::Parts { part, times, .. } if part == wrong && times == n_times), "{error}");
    }
}

#[tokio::test]
async fn extra_files_stand_beside_the_parts() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let version = published(registry, "w1").await;
        assert_eq!(registry.extra(MODEL, &version, "model.onnx").await.unwrap(), None);
        registry.put_extra(MODEL, &version, "model.onnx", "onnx").await.unwrap();
        registry.put_extra(MODEL, &version, "MLmodel", "first").await.unwrap();
        registry.put_extra(MODEL, &version, "MLmodel", "second").await.unwrap();
        assert_eq!(registry.extra(MODEL, &version, "MLmodel").await.unwrap(), Some("second".into()));
        assert_eq!(registry.extras(MODEL, &version).await.unwrap(), ["MLmodel", "model.onnx"]);
        for name in ["spec.yaml", "manifest.json", "lineage.json", "data-card.html", "../x", ".hidden", "a/b", ""] {
            let error = registry.put_extra(MODEL, &version, name, "x").await.unwrap_err();
            assert!(matches!(error, Error::Name { .. }), "{name}");
        }
    }
}
