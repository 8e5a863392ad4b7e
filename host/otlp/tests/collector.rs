//! What a collector gets, and what becomes of what it does not take.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bulkhead_otlp::{Counted, Settings, TracedInput, TracedOrder, TracedRequest, Traces};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

const PATIENCE: Duration = Duration::from_secs(30);

/// The head of a request, and its body.
type Received = (String, Vec<u8>);

/// A collector that answers everything with this status.
fn collector(status: u16) -> (String, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, received) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).unwrap() > 2 {
                head += &line.to_lowercase();
                line.clear();
            }
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let mut body = vec![0; length.trim().parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            (&stream).write_all(answer.as_bytes()).unwrap();
            if sender.send((head, body)).is_err() {
                return;
            }
        }
    });
    (address, received)
}

type Counts = Arc<Mutex<Vec<(Counted, u64)>>>;

fn start(endpoint: &str) -> (Traces, Counts) {
    let counts = Counts::default();
    let seen = Arc::clone(&counts);
    let settings = Settings {
        endpoint: endpoint.to_owned(),
        headers: vec![("authorization".to_owned(), "Bearer planted-secret".to_owned())],
        service: "a host".to_owned(),
    };
    assert!(!format!("{settings:?}").contains("planted"));
    let traces =
        Traces::start(&settings, Arc::new(move |what, spans| seen.lock().unwrap().push((what, spans))));
    (traces.unwrap(), counts)
}

fn request(status: u16, traceparent: Option<&str>) -> TracedRequest<'_> {
    TracedRequest {
        id: "0123456789abcdef",
        method: "GET",
        route: Some("/api/v1/accounts/{account}"),
        status,
        began: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000),
        took: Duration::from_millis(5),
        traceparent,
    }
}

fn attributes(list: &[KeyValue]) -> BTreeMap<&str, Value> {
    let value = |attribute: &AnyValue| attribute.value.clone();
    list.iter().map(|one| (one.key.as_str(), value(one.value.as_ref().unwrap()).unwrap())).collect()
}

fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

fn spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(attributes(&resource.attributes)["service.name"], text("a host"));
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes.flat_map(|scope| scope.spans).collect()
}

#[test]
fn a_collector_gets_requests_and_inputs_with_what_they_are_found_by() {
    let (address, received) = collector(200);
    let (traces, counts) = start(&format!("{address}/"));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    traces.request(&request(503, Some(&format!("00-{trace}-b7ad6b7169203331-01"))));
    // One whose trace its caller does not record, and one that says nonsense.
    traces.request(&request(200, Some(&format!("00-{trace}-b7ad6b7169203331-00"))));
    traces.request(&request(200, Some("nonsense")));
    let order =
        TracedOrder { id: 7, strategy: "breakout".to_owned(), instrument: "A-USD".to_owned(), side: "buy" };
    let began = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000);
    traces.input(&TracedInput {
        account: "main",
        sequence: 4_711,
        began,
        ended: began + Duration::from_millis(3),
        orders: &[order],
    });
    traces.close(PATIENCE);
    let (head, body) = received.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("post /v1/traces http/1.1"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    assert!(head.contains("authorization: bearer planted-secret"), "{head}");
    let spans = spans(&body);
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    let route = "GET /api/v1/accounts/{account}";
    assert_eq!(names, [route, route, "input"]);
    let hexadecimal = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hexadecimal(&spans[0].trace_id), trace);
    assert_eq!(hexadecimal(&spans[0].parent_span_id), "b7ad6b7169203331");
    assert_eq!(spans[0].end_time_unix_nano - spans[0].start_time_unix_nano, 5_000_000);
    let of_request = attributes(&spans[0].attributes);
    assert_eq!(of_request["http.response.status_code"], Value::IntValue(503));
    assert_eq!(of_request["error.type"], text("503"));
    assert_eq!(of_request["bulkhead.request_id"], text("0123456789abcdef"));
    assert!(
        spans[1].parent_span_id.is_empty() && !attributes(&spans[1].attributes).contains_key("error.type")
    );
    let of_input = attributes(&spans[2].attributes);
    assert_eq!(of_input["bulkhead.sequence"], Value::IntValue(4_711));
    assert_eq!(of_input["bulkhead.account"], text("main"));
    let Value::ArrayValue(orders) = &of_input["bulkhead.orders"] else { panic!("{of_input:?}") };
    assert_eq!(orders.values[0].value, Some(Value::IntValue(7)));
    assert_eq!(*counts.lock().unwrap(), [(Counted::Sent, 3)]);
}

#[test]
fn what_a_collector_does_not_take_is_counted() {
    let (address, received) = collector(400);
    let (traces, counts) = start(&address);
    traces.request(&request(200, None));
    received.recv_timeout(PATIENCE).unwrap();
    traces.close(PATIENCE);
    assert_eq!(*counts.lock().unwrap(), [(Counted::Failed, 1)]);
}

#[test]
fn a_collector_that_never_answers_keeps_nobody_waiting() {
    // It takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (traces, counts) = start(&format!("http://{}", listener.local_addr().unwrap()));
    for _ in 0..10_000 {
        traces.request(&request(200, None));
    }
    traces.close(Duration::from_millis(100));
    let counts = counts.lock().unwrap();
    let dropped: u64 =
        counts.iter().map(|(what, spans)| if *what == Counted::Dropped { *spans } else { 0 }).sum();
    assert_eq!(dropped, 10_000, "{counts:?}");
}
