//! All that can be asked, and by whom: the one table that the router is built from.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post, put};
use tower_http::catch_panic::CatchPanicLayer;

use crate::api::Api;
use crate::authorisation::{Needed, authorise};
use crate::every_request::{around, cross_origin, largest_body};
use crate::problem::{Kind, Problem};
use crate::tokens::Role;
use crate::{
    alerts, analytics, backtests, changes, health, live, login, metrics, openapi, orders, pages, plugins,
    reads, reconciliation, token_routes,
};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody, without a token.
    Anybody,
    /// Holders of a token with enough of a role.
    Holder(Needed),
}

/// Something that can be asked.
pub(crate) struct Route {
    /// In lower case.
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    handler: MethodRouter<Api>,
}

macro_rules! table {
    ($($method:ident $path:literal $access:expr => $handler:path),+ $(,)?) => {
        vec![$(Route { method: stringify!($method), path: $path, access: $access, handler: $method($handler) }),+]
    };
}

/// All of it.
pub(crate) fn routes() -> Vec<Route> {
    const fn from(role: Role) -> Access {
        Access::Holder(Needed { role, all_accounts: false })
    }
    const fn all_from(role: Role) -> Access {
        Access::Holder(Needed { role, all_accounts: true })
    }
    const ANYBODY: Access = Access::Anybody;
    // Of one account, or the same for all.
    const VIEWER: Access = from(Role::Viewer);
    const TRADER: Access = from(Role::Trader);
    const OPERATOR: Access = from(Role::Operator);
    // Of all accounts together.
    const VIEWER_OF_ALL: Access = all_from(Role::Viewer);
    const TRADER_OF_ALL: Access = all_from(Role::Trader);
    const OPERATOR_OF_ALL: Access = all_from(Role::Operator);
    const ADMIN_OF_ALL: Access = all_from(Role::Admin);

    table! {
        get "/healthz" ANYBODY => health::healthz,
        get "/readyz" ANYBODY => health::readyz,
        post "/api/v1/session" ANYBODY => login::log_in,
        post "/api/v1/session/challenge" ANYBODY => login::challenge,
        post "/api/v1/session/wallet" ANYBODY => login::log_in_with_wallet,
        get "/api/v1/session" VIEWER => login::session,
        delete "/api/v1/session" VIEWER => login::log_out,
        get "/metrics" VIEWER_OF_ALL => metrics::metrics,
        get "/api/v1/openapi.json" VIEWER => openapi::openapi,
        get "/api/v1/docs" VIEWER => openapi::page,
        get "/api/v1/host" VIEWER => health::host,
        get "/api/v1/accounts" VIEWER => reads::accounts,
        get "/api/v1/accounts/{account}" VIEWER => reads::account,
        get "/api/v1/accounts/{account}/view" VIEWER => live::reads::view,
        get "/api/v1/accounts/{account}/live" VIEWER => live::socket::live,
        get "/api/v1/accounts/{account}/events" VIEWER => live::event_stream::events,
        get "/api/v1/accounts/{account}/instruments" VIEWER => reads::instruments,
        get "/api/v1/accounts/{account}/instruments/{instrument}/bars" VIEWER => live::reads::bars,
        get "/api/v1/accounts/{account}/strategies" VIEWER => reads::strategies,
        get "/api/v1/accounts/{account}/strategies/{strategy}" VIEWER => reads::strategy,
        get "/api/v1/accounts/{account}/strategies/{strategy}/parameters" VIEWER => live::reads::parameters,
        get "/api/v1/accounts/{account}/strategies/{strategy}/faults" VIEWER => live::reads::faults,
        get "/api/v1/accounts/{account}/strategies/{strategy}/logs" VIEWER => live::reads::logs,
        get "/api/v1/accounts/{account}/positions" VIEWER => reads::positions,
        get "/api/v1/accounts/{account}/orders" VIEWER => reads::orders,
        get "/api/v1/accounts/{account}/orders/{order}" VIEWER => reads::order,
        get "/api/v1/accounts/{account}/fills" VIEWER => reads::fills,
        get "/api/v1/accounts/{account}/trades" VIEWER => reads::trades,
        get "/api/v1/accounts/{account}/refusals" VIEWER => live::reads::refusals,
        get "/api/v1/accounts/{account}/charges" VIEWER => reads::charges,
        get "/api/v1/accounts/{account}/reconciliation" VIEWER => reconciliation::reconciliation,
        get "/api/v1/accounts/{account}/adjustments" VIEWER => reconciliation::adjustments,
        get "/api/v1/accounts/{account}/equity" VIEWER => reads::equity,
        get "/api/v1/accounts/{account}/analytics" VIEWER => analytics::analytics,
        get "/api/v1/accounts/{account}/settings" VIEWER => reads::settings,
        get "/api/v1/accounts/{account}/audit" VIEWER => reads::audit,
        get "/api/v1/accounts/{account}/alerts" VIEWER => alerts::alerts,
        post "/api/v1/alerts/test" OPERATOR_OF_ALL => alerts::test,
        get "/api/v1/requests/{request}" VIEWER => changes::request,
        get "/api/v1/plugin-versions" VIEWER => reads::plugin_versions,
        post "/api/v1/accounts/{account}/strategies/{strategy}/positions/{instrument}/close" TRADER
            => changes::close,
        post "/api/v1/accounts/{account}/strategies/{strategy}/positions/{instrument}/exits" TRADER
            => orders::change_exits,
        post "/api/v1/accounts/{account}/orders" TRADER => orders::place,
        post "/api/v1/accounts/{account}/orders/{order}/cancel" TRADER => orders::cancel,
        post "/api/v1/accounts/{account}/halt" OPERATOR => changes::halt,
        post "/api/v1/accounts/{account}/resume" OPERATOR => changes::resume,
        post "/api/v1/accounts/{account}/reconciliation/adopt" OPERATOR => reconciliation::adopt,
        post "/api/v1/accounts/{account}/reconciliation/write-off" OPERATOR => reconciliation::write_off,
        post "/api/v1/accounts/{account}/reconciliation/ignore" OPERATOR => reconciliation::ignore,
        post "/api/v1/accounts/{account}/reconciliation/stop-ignoring" OPERATOR => reconciliation::stop_ignoring,
        post "/api/v1/accounts/{account}/weights" OPERATOR => changes::set_weights,
        post "/api/v1/accounts/{account}/strategies/{strategy}/mode" OPERATOR => changes::set_mode,
        post "/api/v1/accounts/{account}/strategies/{strategy}/parameters" OPERATOR => changes::set_parameters,
        post "/api/v1/accounts/{account}/strategies/{strategy}/release" OPERATOR => changes::release,
        post "/api/v1/accounts/{account}/strategies/{strategy}/remove" OPERATOR => changes::remove,
        get "/api/v1/backtests" VIEWER_OF_ALL => backtests::backtests,
        post "/api/v1/backtests" TRADER_OF_ALL => backtests::start,
        get "/api/v1/backtests/{backtest}" VIEWER_OF_ALL => backtests::backtest,
        delete "/api/v1/backtests/{backtest}" TRADER_OF_ALL => backtests::cancel_backtest,
        get "/api/v1/backtests/{backtest}/report" VIEWER_OF_ALL => backtests::report,
        post "/api/v1/accounts/{account}/settings" OPERATOR => changes::change_settings,
        put "/api/v1/plugins/{plugin}" OPERATOR_OF_ALL => plugins::install,
        post "/api/v1/plugins/{plugin}/rollback" OPERATOR_OF_ALL => plugins::roll_back,
        get "/api/v1/tokens" ADMIN_OF_ALL => token_routes::tokens,
        post "/api/v1/tokens" ADMIN_OF_ALL => token_routes::make_token,
        delete "/api/v1/tokens/{token}" ADMIN_OF_ALL => token_routes::revoke_token,
    }
}

/// The router of the table.
pub(crate) fn router(api: &Api) -> Router {
    let mut router = Router::new();
    for Route { path, access, handler, .. } in routes() {
        let handler = match access {
            Access::Holder(needed) => {
                handler.route_layer(from_fn_with_state((api.clone(), needed), authorise))
            }
            Access::Anybody => handler,
        };
        let handler = handler.layer(DefaultBodyLimit::max(largest_body(api, Some(path))));
        router = router.route(path, handler);
    }
    router
        .fallback(elsewhere)
        .method_not_allowed_fallback(async || {
            Problem::new(
                Kind::WrongMethod,
                "the method does not fit the route; /api/v1/openapi.json lists all routes with theirs",
            )
        })
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(Kind::Internal, "the host failed to answer; its log says more").into_response()
        }))
        .layer(cross_origin(api))
        .layer(from_fn_with_state(api.clone(), around))
        .with_state(api.clone())
}

/// All that is not in the table: a file of the dashboard, or nothing.
async fn elsewhere(method: Method, uri: Uri) -> Result<Response, Problem> {
    if method == Method::GET && !uri.path().starts_with("/api/") {
        return pages::page(uri).await;
    }
    Err(Problem::new(Kind::UnknownRoute, "there is nothing here; /api/v1/openapi.json lists all routes"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;
    use std::num::NonZeroU32;
    use std::path::Path;
    use std::process::Command;
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::{Body, to_bytes};
    use axum::extract::{ConnectInfo, Request};
    use axum::http::{Method, header};
    use bulkhead_core::identifier::ContentHash;
    use bulkhead_core::time::Span;
    use bulkhead_store::clock::now;
    use bulkhead_store::database::{Database, DatabaseUrl, Options};
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;
    use crate::alerts::{AlertDesk, AlertEntry, AlertTestProblem, ChannelTest};
    use crate::backtests::BacktestProgram;
    use crate::every_request::LARGEST_BODY;
    use crate::host_figures::HostFigures;
    use crate::live::{Hub, Updates};
    use crate::metrics::RequestCounts;
    use crate::plugins::{InstalledPlugin, PluginDirectory, PluginProblem};
    use crate::readers::Readers;
    use crate::reconciliation::Reconciliations;
    use crate::server::{Host, Settings};
    use crate::tokens::create;

    /// Takes nothing and runs nothing.
    struct NoDirectory;

    impl BacktestProgram for NoDirectory {
        fn command(&self, _: &str, _: u32, _: u64, _: &Path, _: &Path) -> Command {
            Command::new("false")
        }
    }

    impl PluginDirectory for NoDirectory {
        fn install(&self, _: &str, _: &[u8], _: &str) -> Result<InstalledPlugin, PluginProblem> {
            Err(PluginProblem::Refused("it is no plugin".to_owned()))
        }

        fn roll_back(
            &self,
            _: &str,
            version: &ContentHash,
            _: &str,
        ) -> Result<InstalledPlugin, PluginProblem> {
            Err(PluginProblem::Unknown(version.to_string()))
        }
    }

    impl AlertDesk for NoDirectory {
        fn newest(&self, _: &str, _: bool, _: Option<u64>, _: usize) -> Vec<AlertEntry> {
            Vec::new()
        }

        fn test(&self, _: Option<&str>) -> Result<Vec<ChannelTest>, AlertTestProblem> {
            Err(AlertTestProblem::NoChannel)
        }
    }

    fn settings(requests_per_minute: u32) -> Settings {
        Settings {
            mode: "paper".to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            allow_remote: false,
            requests_per_minute: NonZeroU32::new(requests_per_minute).unwrap(),
            connections: 10,
            connections_per_address: 10,
            session: Span::from_seconds(3_600),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            hosts: Vec::new(),
            origins: vec!["https://desk.example.org".to_owned()],
            certificate: None,
            wallets: BTreeMap::new(),
            largest_upload: 1_000,
            updates_wait: false,
        }
    }

    /// A router on a database with one account, and a token of each role.
    struct Setup {
        router: Router,
        api: Api,
        tokens: Vec<(Role, String)>,
        writer: Database,
        runtime: tokio::runtime::Runtime,
        _folder: tempfile::TempDir,
    }

    fn setup(requests_per_minute: u32) -> Setup {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::file(folder.path().join("bulkhead.db"));
        let mut writer = Database::open(&url, Options::writer().migrating()).unwrap();
        writer.register_accounts(&["main".to_owned()]).unwrap();
        let mut tokens = Vec::new();
        for role in Role::ALL {
            tokens.push((role, create(&mut writer, role.name(), role, None, now(), None).unwrap().secret));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let counts = RequestCounts::new().unwrap();
        let (hub, _) = Hub::start(&["main".to_owned()]).unwrap();
        let host = Host {
            url: url.clone(),
            hub,
            plugins: Arc::new(NoDirectory),
            alerts: Arc::new(NoDirectory),
            reconciliations: Reconciliations::default(),
            backtests: Arc::new(NoDirectory),
            backtest_directory: folder.path().join("backtests"),
            poke: Arc::new(|| {}),
            figures: HostFigures::new().unwrap(),
            observer: None,
        };
        let readers = Readers::start(&url, "reads", 1, || {}).unwrap();
        let access = Readers::start(&url, "access", 1, || {}).unwrap();
        let updates = Updates::new(runtime.handle().clone());
        let api = Api::new(settings(requests_per_minute), &host, readers, access, counts, updates);
        Setup { router: router(&api), api, tokens, writer, runtime, _folder: folder }
    }

    impl Setup {
        fn token(&self, role: Role) -> &str {
            &self.tokens.iter().find(|(of, _)| *of == role).unwrap().1
        }

        fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
            self.runtime.block_on(self.answer(method, path, token, body))
        }

        async fn answer(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
            self.answer_with(method, path, token, &[], body).await
        }

        async fn answer_with(
            &self,
            method: &str,
            path: &str,
            token: Option<&str>,
            headers: &[(&str, &str)],
            body: &str,
        ) -> (u16, Value) {
            let mut request =
                Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
            if let Some(token) = token {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.header(header::CONTENT_TYPE, "application/json");
            let request = request.body(Body::from(body.to_owned())).unwrap();
            let response = self.router.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let headers = response.headers().clone();
            assert_eq!(headers["x-content-type-options"], "nosniff");
            if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
                // It does not end.
                return (status.as_u16(), Value::Null);
            }
            let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            if status.is_client_error() || status.is_server_error() {
                assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json", "{method} {path}");
                assert_eq!(value["status"], status.as_u16());
                assert_eq!(value["request_id"], headers["x-request-id"].to_str().unwrap());
                assert!(value["type"].as_str().unwrap().starts_with("urn:bulkhead:problem:"), "{value}");
                assert!(!value["detail"].as_str().unwrap().is_empty());
            }
            (status.as_u16(), value)
        }
    }

    fn filled(path: &str) -> String {
        path.replace("{account}", "main").replace(['{', '}'], "")
    }

    #[test]
    fn every_route_lets_its_role_and_higher_ones_pass_and_nobody_else() {
        let setup = setup(10_000);
        for route in routes() {
            let (method, path) = (route.method.to_uppercase(), filled(route.path));
            let (anybody, _) = setup.ask(&method, &path, None, "{}");
            let Access::Holder(Needed { role: needed, .. }) = route.access else {
                let open = ["/healthz", "/readyz"];
                let logs_in = path.starts_with("/api/v1/session") && method == "POST";
                assert!(open.contains(&route.path) || logs_in, "{path} is open to anybody");
                continue;
            };
            assert_eq!(anybody, 401, "{path}");
            for (role, token) in &setup.tokens {
                let (status, _) = setup.ask(&method, &path, Some(token), "{}");
                assert_eq!(status == 403, *role < needed, "{role} {method} {path}: {status}");
                // The account is not at work here, so there is nothing to view.
                let well = status < 500 || path.ends_with("/view");
                assert!(status != 401 && well, "{role} {method} {path}: {status}");
            }
        }
    }

    #[test]
    fn errors_are_problems_that_say_what_to_do() {
        let mut setup = setup(10_000);
        let viewer = setup.token(Role::Viewer).to_owned();
        let operator = setup.token(Role::Operator).to_owned();
        let orders = "/api/v1/accounts/main/orders";
        let halt = "/api/v1/accounts/main/halt";
        let large = format!("{{\"reason\":\"{}\"}}", "x".repeat(LARGEST_BODY));
        for (method, path, token, body, status, kind) in [
            ("GET", "/nothing", &viewer, "", 404, "unknown-route"),
            ("DELETE", orders, &viewer, "", 405, "wrong-method"),
            ("GET", "/api/v1/accounts/nobody/orders", &viewer, "", 404, "unknown"),
            ("GET", "/api/v1/accounts/main/orders/one", &viewer, "", 404, "unknown"),
            ("GET", &format!("{orders}?status=lost"), &viewer, "", 400, "bad-filter"),
            ("GET", &format!("{orders}?colour=red"), &viewer, "", 400, "bad-filter"),
            ("GET", &format!("{orders}?from=today"), &viewer, "", 400, "bad-filter"),
            ("GET", &format!("{orders}?limit=0"), &viewer, "", 400, "bad-filter"),
            ("GET", &format!("{orders}?instrument=X"), &viewer, "", 404, "unknown"),
            ("POST", halt, &operator, "{", 400, "bad-body"),
            ("POST", halt, &operator, "{\"reason\":\"\"}", 400, "bad-body"),
            ("POST", halt, &operator, &large, 413, "body-too-large"),
            ("POST", halt, &operator, "{\"reason\":\"x\"}", 400, "missing-idempotency-key"),
        ] {
            let (found, problem) = setup.ask(method, path, Some(token), body);
            assert_eq!(found, status, "{method} {path}: {problem}");
            assert_eq!(problem["type"], format!("urn:bulkhead:problem:{kind}"), "{method} {path}");
        }
        let stranger = viewer.replace("viewer", "admin");
        assert_eq!(setup.ask("GET", orders, Some(&stranger), "").0, 401);
        assert_eq!(setup.ask("GET", orders, Some(&viewer), "").0, 200);
        setup.writer.revoke_token("viewer", now()).unwrap();
        assert_eq!(setup.ask("GET", orders, Some(&viewer), "").0, 401);
    }

    /// Analytics of years, metrics, exports: as long as they take, whoever wants to stop the trading gets in and does.
    #[test]
    fn however_much_is_read_logins_and_changes_go_on() {
        let setup = setup(10_000);
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let slow = setup.api.readers.ask(move |_| Ok(wait.recv().is_ok()));
        let quick = async {
            let halt = "/api/v1/accounts/main/halt";
            let body = "{\"reason\":\"enough\",\"action\":\"stop-entries\"}";
            let operator = setup.token(Role::Operator);
            let key = [("idempotency-key", "one")];
            let changed = setup.answer_with("POST", halt, Some(operator), &key, body).await;
            // No host is there to take it up, so it waits in the database.
            assert_eq!((changed.0, &changed.1["state"]), (202, &Value::from("waiting")));
            let login = format!("{{\"token\":\"{operator}\"}}");
            assert_eq!(setup.answer("POST", "/api/v1/session", None, &login).await.0, 200);
            assert_eq!(setup.answer("GET", "/api/v1/session", Some(operator), "").await.0, 200);
            release.send(()).unwrap();
        };
        let both = async { tokio::join!(slow, quick) };
        let patience = Duration::from_secs(120);
        let (slow, ()) =
            setup.runtime.block_on(async { tokio::time::timeout(patience, both).await }).unwrap();
        assert_eq!(slow, Ok(true));
    }

    /// As soon as one of several who ask for what goes through all rows is answered, so are the others; and meanwhile they
    /// leave the other connections to those who read little.
    #[test]
    fn who_asks_for_much_waits_outside_the_database() {
        let setup = setup(10_000);
        let viewer = setup.token(Role::Viewer);
        for path in ["/metrics", "/api/v1/accounts/main/analytics"] {
            let (release, wait) = std::sync::mpsc::channel::<()>();
            let slow = setup.api.readers.ask(move |_| Ok(wait.recv().is_ok()));
            let wave = || {
                futures_util::future::join_all((0..50).map(|_| setup.answer("GET", path, Some(viewer), "")))
            };
            // Whoever came before has shown the token by then.
            let let_in = async || {
                setup.api.access.ask(|_| Ok(())).await.unwrap();
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
            };
            let second_wave = async {
                let_in().await;
                wave().await
            };
            // There are more of them now than have room in the line.
            let little = async {
                let_in().await;
                let_in().await;
                let_in().await;
                let little = setup.answer("GET", "/api/v1/accounts", Some(viewer), "");
                let release = async { release.send(()).unwrap() };
                tokio::join!(little, release).0.0
            };
            let all = async { tokio::join!(slow, wave(), second_wave, little) };
            let (_, first, second, little) = setup.runtime.block_on(all);
            assert_eq!(little, 200, "{path}");
            assert!(first.iter().chain(&second).all(|(status, _)| *status == 200), "{path}");
        }
    }

    #[test]
    fn who_asks_too_often_is_told_so() {
        let setup = setup(2);
        let viewer = setup.token(Role::Viewer);
        let mut found = Vec::new();
        for _ in 0..3 {
            found.push(setup.ask("GET", "/api/v1/accounts", Some(viewer), "").0);
        }
        assert_eq!(found, [200, 200, 429]);
    }

    /// Asks so often, from this peer, as it says for these clients; the statuses.
    fn ask_from(setup: &Setup, peer: &str, clients: &[&str], path: &str) -> Vec<u16> {
        let peer = ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711));
        let ask = |client: &&str| {
            let request = Request::post(path)
                .header("x-forwarded-for", *client)
                .header(header::CONTENT_TYPE, "application/json")
                .extension(peer)
                .body(Body::from(r#"{"token":"none"}"#));
            let answer = setup.router.clone().oneshot(request.unwrap());
            setup.runtime.block_on(answer).unwrap().status().as_u16()
        };
        clients.iter().map(ask).collect()
    }

    #[test]
    fn clients_behind_a_trusted_proxy_have_limits_of_their_own() {
        let (ann, bob) = ("192.0.2.1", "2001:db8::1");
        let path = "/api/v1/session";
        let many = setup(1);
        assert_eq!(
            ask_from(&many, "10.0.0.1", &[ann, ann, ann, ann, ann, bob], path),
            [401, 401, 401, 401, 429, 401]
        );
        // Whatever she says of where she comes from, and through which of the proxies.
        assert_eq!(ask_from(&many, "10.0.0.2", &["192.0.2.9, 192.0.2.1"], path), [429]);
        assert_eq!(ask_from(&many, ann, &[bob], path), [429]);
        // Nobody else is believed: they are one, whomever they name.
        let made_up = ["192.0.2.2", "192.0.2.3", "192.0.2.4", "10.0.0.1", "192.0.2.5"];
        assert_eq!(ask_from(&many, "198.51.100.1", &made_up, path), [401, 401, 401, 401, 429]);
    }

    #[test]
    fn logins_are_counted_for_each_client_behind_a_trusted_proxy() {
        let setup = setup(600);
        let (path, often) = ("/api/v1/session", ["192.0.2.1"; 21]);
        assert_eq!(ask_from(&setup, "10.0.0.1", &often, path).last(), Some(&429));
        assert_eq!(ask_from(&setup, "10.0.0.1", &["192.0.2.2"], path), [401]);
        let made_up: Vec<String> = (1..=21).map(|last| format!("192.0.2.{last}")).collect();
        let made_up: Vec<&str> = made_up.iter().map(String::as_str).collect();
        assert_eq!(ask_from(&setup, "198.51.100.1", &made_up, path).last(), Some(&429));
    }
}
