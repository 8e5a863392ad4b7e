//! The dashboard's files, as they were when the host was built.

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::Embed;

use crate::problem::{Kind, Problem};

/// What the dashboard's build made. It is empty when there was no Node to build it with.
#[derive(Embed)]
#[folder = "$OUT_DIR/dashboard"]
struct Dashboard;

/// Pages may load what comes with them, speak to this host, and nothing else.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// What is shown in place of a dashboard that was not built.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Bulkhead</title>\
     <meta name=\"viewport\" content=\"width=device-width\"><style>body{font:16px/1.6 system-ui;max-width:40rem;margin:\
     4rem auto;padding:0 1rem;color-scheme:light dark}</style><h1>This host has no dashboard</h1><p>It was built \
     without one, as Node was missing. Install Node 20 or newer, run <code>cargo xtask dashboard</code>, and build the \
     host again.<p>The API works all the same: <code>/api/v1/openapi.json</code> describes it.</html>";

/// Whether there are pages at all.
pub(crate) fn are_built() -> bool {
    Dashboard::get("index.html").is_some()
}

/// A file of the dashboard. Its pages are told apart behind the `#`, so there is one page.
pub(crate) async fn page(uri: Uri) -> Result<Response, Problem> {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    match Dashboard::get(path) {
        Some(file) => {
            let kind = mime(path);
            // Names of files but the page itself hold their hash.
            let kept =
                if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
            let mut response = file.data.into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
            Ok(response)
        }
        None if path == "index.html" => Ok((StatusCode::OK, Html(NOT_BUILT)).into_response()),
        None => Err(Problem::new(
            Kind::UnknownRoute,
            "there is nothing here; /api/v1/openapi.json lists all routes",
        )),
    }
}

fn mime(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("json" | "map" | "webmanifest") => "application/json",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
