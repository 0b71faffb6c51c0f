//! A batch that is gone for good is reported, and the run goes on.

use serde_json::json;

use crate::harness::{Up, client, outcome, source, turn};
use crate::records::Records;
use crate::reference::{MODEL, SCALE};
use crate::world::{World, real_estate, with_line};

#[tokio::test]
async fn a_loss_that_cannot_heal_is_an_event_and_the_run_goes_on() {
    let source = source(&["--system", MODEL, "--scale", SCALE, "--broken", "status:1:advance"]).await;
    let world = World::new();
    world.put_spec(MODEL, &with_line(&real_estate(10, 16), "    restart:", None));
    let server = Up::with_source(&source).start(&world).await;
    assert_eq!(turn(&world, &server, MODEL).await["ingest"]["batch_number"], 0);

    let said = outcome(client(&world, &server, MODEL, None)).await.expect_err("the source answers an error");
    assert!(said.contains("/ingest answered 502") && said.contains("500"), "{said}");
    let records = Records::of(&world, MODEL);
    assert!(records.events("loss").is_empty(), "nothing shows yet that the source had advanced");

    let next = turn(&world, &server, MODEL).await;
    assert_eq!((&next["turn"], &next["ingest"]["batch_number"]), (&json!(2), &json!(2)), "{next}");
    assert_eq!(turn(&world, &server, MODEL).await["ingest"]["batch_number"], 3);
    let losses = records.events("loss");
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert_eq!(losses[0]["data"], json!({"batch_number": 1}));
    assert!(losses[0]["detail"].as_str().unwrap().contains("batch number 1 is lost"), "{losses:?}");
    assert_eq!(records.sequence("events").len(), 1, "a source that cannot restart is left alone");
    assert_eq!(records.landed().len(), 3);
}
