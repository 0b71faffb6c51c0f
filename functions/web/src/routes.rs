//! The function's routes: decode, one call, wrap.

use axum::extract;
use registry::Part;
use service::{Context, Mark, OpenApiRouter, Path, Query, StatusCode};
use utoipa_axum::routes;

use crate::State;
use crate::form::Fields;
use crate::load::{Story, card, overview, story};
use crate::page::{self, Page, Reply};

/// The function's routes, for its own server and for the bundle.
pub fn routes(state: State) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(index).public())
        .routes(routes!(model).public())
        .routes(routes!(form).public().long())
        .routes(routes!(model_card).public())
        .routes(routes!(data_card).public())
        .with_state(state)
}

/// The models: what serves, how good it is, and the last batch with its decision.
#[utoipa::path(get, path = "/", tag = "web", responses((status = 200, body = String, content_type = "text/html")))]
async fn index(extract::State(state): extract::State<State>) -> Result<Page, Page> {
    Ok(Page::new(StatusCode::OK, page::index(&overview(&state.host).await.map_err(page::failure)?)))
}

/// One model: production, batches, decisions with their evidence, events, and the form.
///
/// Query parameters that are named like columns fill the form.
#[utoipa::path(get, path = "/models/{model}", tag = "web",
    params(("model" = String, Path, description = "Name of the model")),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 404, body = String, content_type = "text/html", description = "There is no such model")))]
async fn model(
    extract::State(state): extract::State<State>,
    Path(model): Path<String>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Page, Page> {
    let story = story(&state.host, &model).await.map_err(page::failure)?;
    Ok(Page::new(StatusCode::OK, page::model(&story, &Fields::new(pairs), None)))
}

/// Predicts and explains what stands in the form, and shows the page again with the answer.
///
/// The fields are named like the columns of the spec; an empty one is null.
#[utoipa::path(post, path = "/models/{model}/form", tag = "web",
    params(("model" = String, Path, description = "Name of the model")),
    request_body(content = HashMap<String, String>, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 404, body = String, content_type = "text/html", description = "There is no such model"),
        (status = 422, body = String, content_type = "text/html", description = "Fields are wrong; it says so beside them")))]
async fn form(
    extract::State(state): extract::State<State>,
    Path(model): Path<String>,
    context: Context,
    axum::Form(pairs): axum::Form<Vec<(String, String)>>,
) -> Result<Page, Page> {
    let story = story(&state.host, &model).await.map_err(page::failure)?;
    let fields = Fields::new(pairs);
    let reply = ask(&state, &story, &fields, &context).await;
    let is_refused = reply.as_ref().is_some_and(Reply::is_refused);
    // A proxy may put its own page in the place of a 502, so a neighbour that is down is told in a page of ours with 200.
    let status = if is_refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(Page::new(status, page::model(&story, &fields, reply.as_ref())))
}

/// The model card of a version: what it is for, how good it is and for whom, and what it rests on.
#[utoipa::path(get, path = "/models/{model}/versions/{version}/model-card", tag = "web",
    params(("model" = String, Path, description = "Name of the model"),
        ("version" = String, Path, description = "Id of the version")),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 404, body = String, content_type = "text/html", description = "There is no such version, or it has no card")))]
async fn model_card(
    extract::State(state): extract::State<State>,
    Path((model, version)): Path<(String, String)>,
) -> Result<Page, Page> {
    card(state.host.registry(), &model, &version, Part::ModelCardPage).await.map(Page::stored).map_err(page::failure)
}

/// The data card of a version: which rows it learnt from and what they look like.
#[utoipa::path(get, path = "/models/{model}/versions/{version}/data-card", tag = "web",
    params(("model" = String, Path, description = "Name of the model"),
        ("version" = String, Path, description = "Id of the version")),
    responses((status = 200, body = String, content_type = "text/html"),
        (status = 404, body = String, content_type = "text/html", description = "There is no such version, or it has no card")))]
async fn data_card(
    extract::State(state): extract::State<State>,
    Path((model, version)): Path<(String, String)>,
) -> Result<Page, Page> {
    card(state.host.registry(), &model, &version, Part::DataCardPage).await.map(Page::stored).map_err(page::failure)
}

/// Asks both neighbours at once; none where the model has no form.
async fn ask(state: &State, story: &Story, fields: &Fields, context: &Context) -> Option<Reply> {
    let spec = story.spec.as_deref().filter(|_| story.production().is_some())?;
    let record = fields.record(spec);
    let (predicted, explained) = tokio::join!(
        state.neighbours.predict(&story.name, &record, context),
        state.neighbours.explain(&story.name, &record, context),
    );
    Some(Reply { predicted, explained })
}
