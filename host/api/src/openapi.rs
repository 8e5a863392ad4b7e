//! The description of the API, for programs in the terms of `OpenAPI` 3.1 and for people as one page that loads nothing.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use bulkhead_core::identifier::ContentHash;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::problem::{Kind, Problem};
use crate::routes::{Access, Route, routes};
use crate::{
    alerts, analytics, backtests, changes, health, live, login, metrics, orders, plugins, reads,
    reconciliation, token_routes,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bulkhead admin API",
        description = "Money, prices and quantities are decimal strings; times are RFC 3339 with nanoseconds in UTC. \
                       Errors are problem details (RFC 9457).",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT")
    ),
    paths(
        health::healthz,
        health::readyz,
        health::host,
        metrics::metrics,
        reads::accounts,
        reads::account,
        reads::instruments,
        reads::strategies,
        reads::strategy,
        reads::positions,
        reads::orders,
        reads::order,
        reads::fills,
        reads::trades,
        reads::charges,
        reconciliation::reconciliation,
        reconciliation::adjustments,
        reconciliation::adopt,
        reconciliation::write_off,
        reconciliation::ignore,
        reconciliation::stop_ignoring,
        reads::equity,
        analytics::analytics,
        reads::settings,
        reads::audit,
        alerts::alerts,
        alerts::test,
        reads::plugin_versions,
        changes::halt,
        changes::resume,
        changes::set_weights,
        changes::set_mode,
        changes::release,
        changes::remove,
        changes::close,
        changes::set_parameters,
        changes::request,
        orders::place,
        orders::cancel,
        orders::change_exits,
        login::log_in,
        login::challenge,
        login::log_in_with_wallet,
        login::session,
        login::log_out,
        live::socket::live,
        live::event_stream::events,
        live::reads::view,
        live::reads::bars,
        live::reads::refusals,
        live::reads::parameters,
        live::reads::faults,
        live::reads::logs,
        backtests::backtests,
        backtests::start,
        backtests::backtest,
        backtests::cancel_backtest,
        backtests::report,
        changes::change_settings,
        plugins::install,
        plugins::roll_back,
        token_routes::tokens,
        token_routes::make_token,
        token_routes::revoke_token,
    )
)]
struct Description;

/// The `OpenAPI` document, as it is in the repository and as the host serves it.
///
/// # Errors
///
/// When it can't be written as JSON, which a test would find.
pub fn document() -> Result<String, serde_json::Error> {
    let mut description = Description::openapi();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("Made with `bulkhead token create`."))
        .build();
    let components = description.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    let session = ApiKey::Cookie(ApiKeyValue::with_description(
        "bulkhead_session",
        "What a browser gets for a token at /api/v1/session.",
    ));
    components.add_security_scheme("session", SecurityScheme::ApiKey(session));
    let mut document = serde_json::to_value(&description)?;
    for route in routes() {
        let place = format!("/paths/{}/{}", route.path.replace('/', "~1"), route.method);
        if let Some(Value::Object(operation)) = document.pointer_mut(&place) {
            add_what_all_have(&route, operation);
        }
    }
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

/// What follows from a route's place in the table: who may use it, and the problems that can come of that.
fn add_what_all_have(route: &Route, operation: &mut serde_json::Map<String, Value>) {
    let mut problems = vec![
        (408, "It took too long"),
        (421, "The host does not go by the name that it is asked for under"),
        (429, "Too many requests, or too much at once"),
        (503, "The database does not answer, or the account takes nothing up"),
    ];
    if let Access::Holder(needed) = route.access {
        operation.insert("x-role".to_owned(), needed.role.name().into());
        operation.insert("security".to_owned(), json!([{ "token": [] }, { "session": [] }]));
        problems.extend([(401, "No valid token"), (403, "The token's role or account does not allow it")]);
    }
    if route.path.contains('{') {
        problems.push((404, "There is no such thing"));
    }
    let empty = Vec::new();
    let parameters = operation.get("parameters").and_then(Value::as_array).unwrap_or(&empty);
    if parameters.iter().any(|parameter| parameter["in"] == "query") {
        problems.push((400, "A query parameter can't be understood"));
    }
    if operation.get("tags").is_some_and(|tags| tags[0] == "changing") && route.method == "post" {
        problems.extend([
            (400, "The body or the idempotency key can't be understood"),
            (409, "The idempotency key belongs to another request"),
            (413, "The body is too large"),
            (422, "The engine refused it"),
        ]);
        let key = json!({
            "name": "idempotency-key",
            "in": "header",
            "required": true,
            "description": "1 to 128 visible characters of the caller's own, a new one for each change; the same \
                            change with the same key is carried out once",
            "schema": { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" },
        });
        let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
        if let Some(parameters) = parameters.as_array_mut() {
            parameters.push(key);
        }
    }
    if route.path.ends_with("/live") {
        problems.push((426, "It was not asked for as a WebSocket"));
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, description) in problems {
        responses.entry(status.to_string()).or_insert_with(|| {
            json!({
                "description": description,
                "content": {
                    "application/problem+json": { "schema": { "$ref": "#/components/schemas/ProblemDocument" } },
                },
            })
        });
    }
}

fn unwritten(error: &serde_json::Error) -> Problem {
    tracing::error!(%error, "the description of the API can't be written");
    Problem::new(Kind::Internal, "the description of the API can't be written; the host's log says why")
}

/// The document and its hash, in quotes: it is the same as long as the program runs.
static WRITTEN: LazyLock<Result<(String, String), serde_json::Error>> = LazyLock::new(|| {
    let text = document()?;
    let tag = format!("\"{}\"", ContentHash::of(text.as_bytes()));
    Ok((text, tag))
});

/// The document for programs. Who has it already is told so.
pub(crate) async fn openapi(headers: HeaderMap) -> Result<Response, Problem> {
    let (text, tag) = WRITTEN.as_ref().map_err(unwritten)?;
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let is_known = known.flat_map(|tags| tags.split(',')).any(|known| known.trim() == tag);
    let caching = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, "private, no-cache")];
    if is_known {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    Ok((caching, [(header::CONTENT_TYPE, "application/json")], text.as_str()).into_response())
}

/// The same for people.
pub(crate) async fn page() -> Result<Html<String>, Problem> {
    let (text, _) = WRITTEN.as_ref().map_err(unwritten)?;
    serde_json::from_str(text).map(|document| Html(html(&document))).map_err(|error| unwritten(&error))
}

fn html(document: &Value) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Bulkhead admin API</title><style>\
         body{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
         code{font-family:ui-monospace,monospace}h2{margin:2rem 0 0;font-size:1rem}</style>\
         <h1>Bulkhead admin API</h1>",
    );
    let text = |value: &Value| escaped(value.as_str().unwrap_or_default());
    // Writing to a string does not fail.
    let _ = write!(page, "<p>{}", text(&document["info"]["description"]));
    let _ = write!(
        page,
        "<p>A route with a role needs a token of that role or a higher one; the others are open to anybody."
    );
    for (path, operations) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let (path, method) = (escaped(path), escaped(&method.to_uppercase()));
            let _ = write!(page, "<h2><code>{method} {path}</code></h2><p>{}", text(&operation["summary"]));
            if let Some(role) = operation["x-role"].as_str() {
                let _ = write!(page, " Role: {}.", escaped(role));
            }
            page.push_str("<ul>");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
                let _ =
                    write!(page, "<li><code>{name}</code> ({place}): {}", text(&parameter["description"]));
            }
            for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                let _ = write!(page, "<li>{}: {}", escaped(status), text(&response["description"]));
            }
            page.push_str("</ul>");
        }
    }
    page + "</html>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_in_the_repository_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let expected = document().unwrap();
        if std::env::var_os("BULKHEAD_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(path).unwrap();
        assert!(
            found == expected,
            "{path} is out of date; BULKHEAD_WRITE_OPENAPI=1 cargo test -p bulkhead-api writes it"
        );
    }

    #[tokio::test]
    async fn who_has_the_document_is_not_sent_it_again() {
        let first = openapi(HeaderMap::new()).await.unwrap();
        assert_eq!(
            (first.status(), &first.headers()["content-type"]),
            (StatusCode::OK, &"application/json".parse().unwrap())
        );
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()["etag"].clone());
        assert_eq!(openapi(headers.clone()).await.unwrap().status(), StatusCode::NOT_MODIFIED);
        headers.insert(header::IF_NONE_MATCH, "\"another\"".parse().unwrap());
        assert_eq!(openapi(headers).await.unwrap().status(), StatusCode::OK);
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document: Value = serde_json::from_str(&document().unwrap()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let described: BTreeSet<String> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, operations)| {
                operations.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
            })
            .collect();
        let routed: BTreeSet<String> = routes()
            .iter()
            .filter(|route| !["/api/v1/openapi.json", "/api/v1/docs"].contains(&route.path))
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        assert_eq!(described, routed);
        let operations = document["paths"].as_object().unwrap().values();
        let mut numbers = BTreeSet::new();
        for operation in operations.flat_map(|operations| operations.as_object().unwrap().values()) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(numbers.insert(id), "two operations are called {id}, which no client can be made of");
        }
        let page = html(&document);
        for route in &routed {
            let (method, path) = route.split_once(' ').unwrap();
            assert!(page.contains(&format!("{} {path}", method.to_uppercase())), "{route}");
        }
        assert!(!page.contains("http"), "the page loads nothing");
    }
}
