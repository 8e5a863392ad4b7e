//! What is traced, in the terms of OpenTelemetry.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanKind, Status, TraceContextExt as _, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::client::{Client, PATIENCE};
use crate::queue::{Count, Counting, LENGTH, Queue};

/// How long spans are gathered before they are sent, unless there are many.
const GATHER: Duration = Duration::from_secs(1);

/// Spans that are sent at once.
const BATCH: usize = 512;

/// Where traces are sent.
#[derive(Clone)]
pub struct Settings {
    /// The collector's address, before `/v1/traces`.
    pub endpoint: String,
    /// What is sent with every request, by name; the values may be secrets.
    pub headers: Vec<(String, String)>,
    /// What this host is called there.
    pub service: String,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        formatter.debug_struct("Settings").field("headers", &headers).finish_non_exhaustive()
    }
}

/// Traces can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is none.
    #[error("the endpoint is no address; http://127.0.0.1:4318 is one")]
    Endpoint,
    /// A header can't be sent.
    #[error("the header \"{0}\" has a name or a value that HTTP does not take")]
    Header(String),
    /// The library does not take it.
    #[error("the exporter can't be set up: {0}")]
    Exporter(String),
}

/// A request to the API that was answered.
#[derive(Debug, Clone, Copy)]
pub struct TracedRequest<'a> {
    /// Its number.
    pub id: &'a str,
    /// Its method.
    pub method: &'a str,
    /// The pattern of its route, if there is such a route.
    pub route: Option<&'a str>,
    /// What it was answered with.
    pub status: u16,
    /// When it came.
    pub began: SystemTime,
    /// Until the answer began.
    pub took: Duration,
    /// What the caller says of the trace that it is part of, as W3C's `traceparent`.
    pub traceparent: Option<&'a str>,
}

/// An input of the journal that led to orders.
#[derive(Debug, Clone, Copy)]
pub struct TracedInput<'a> {
    /// The account.
    pub account: &'a str,
    /// Its place in the journal.
    pub sequence: u64,
    /// When the engine was about to take it.
    pub began: SystemTime,
    /// When it was durable and its orders could leave.
    pub ended: SystemTime,
    /// Its orders.
    pub orders: &'a [TracedOrder],
}

/// An order that passed the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedOrder {
    /// Its number in the account.
    pub id: u64,
    /// Whose.
    pub strategy: String,
    /// For what.
    pub instrument: String,
    /// buy or sell.
    pub side: &'static str,
}

/// The way to the collector. Its copies share it.
#[derive(Debug, Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    queue: Arc<Queue>,
}

impl Traces {
    /// Starts the thread that delivers.
    ///
    /// # Errors
    ///
    /// [`StartError`], without any header's value.
    pub fn start(settings: &Settings, count: Count) -> Result<Self, StartError> {
        let address = format!("{}/v1/traces", settings.endpoint.trim_end_matches('/'));
        let address: Uri = address.parse().map_err(|_| StartError::Endpoint)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let refused = || StartError::Header(name.clone());
            let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name.as_str()).map_err(|_| refused())?, value);
        }
        let queue = Arc::new(Queue::new(count));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(address.clone(), headers, Arc::clone(&queue)))
            .with_endpoint(address.to_string())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .build()
            .map_err(|error| StartError::Exporter(error.to_string()))?;
        let queue_size = usize::try_from(LENGTH).unwrap_or(usize::MAX);
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(queue_size)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(GATHER)
            .build();
        let counting = Counting { inner: exporter, queue: Arc::clone(&queue) };
        let processor = BatchSpanProcessor::builder(counting).with_batch_config(batches).build();
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", settings.service.clone()),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            ])
            .build();
        let provider =
            SdkTracerProvider::builder().with_span_processor(processor).with_resource(resource).build();
        let tracer = provider.tracer("bulkhead");
        Ok(Self { provider, tracer, queue })
    }

    /// A request was answered.
    pub fn request(&self, request: &TracedRequest<'_>) {
        let TracedRequest { id, method, route, status, began, took, traceparent } = *request;
        let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(status)),
            KeyValue::new("bulkhead.request_id", id.to_owned()),
        ];
        attributes.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
        let parent = traceparent.map_or_else(Context::new, parent);
        let builder = self
            .tracer
            .span_builder(name)
            .with_kind(SpanKind::Server)
            .with_start_time(began)
            .with_attributes(attributes);
        let failed = (status >= 500).then(|| status.to_string());
        self.record(builder, &parent, began + took, failed);
    }

    /// An input led to orders.
    pub fn input(&self, input: &TracedInput<'_>) {
        let each = |of: fn(&TracedOrder) -> String| {
            let texts = input.orders.iter().map(|order| StringValue::from(of(order)));
            Value::Array(Array::String(texts.collect()))
        };
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let orders: Vec<i64> = input.orders.iter().map(|order| whole(order.id)).collect();
        let attributes = vec![
            KeyValue::new("bulkhead.account", input.account.to_owned()),
            KeyValue::new("bulkhead.sequence", whole(input.sequence)),
            KeyValue::new("bulkhead.orders", Value::Array(orders.into())),
            KeyValue::new("bulkhead.strategies", each(|order| order.strategy.clone())),
            KeyValue::new("bulkhead.instruments", each(|order| order.instrument.clone())),
            KeyValue::new("bulkhead.sides", each(|order| order.side.to_owned())),
        ];
        let builder = self
            .tracer
            .span_builder("input")
            .with_kind(SpanKind::Internal)
            .with_start_time(input.began)
            .with_attributes(attributes);
        self.record(builder, &Context::new(), input.ended, None);
    }

    fn record(&self, builder: SpanBuilder, parent: &Context, ended: SystemTime, failed: Option<String>) {
        if !self.queue.has_room() {
            return;
        }
        let mut span = builder.start_with_context(&self.tracer, parent);
        if !span.is_recording() {
            // The caller says that its trace is not wanted.
            self.queue.give_back();
            return;
        }
        if let Some(kind) = failed {
            span.set_attribute(KeyValue::new("error.type", kind));
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(ended);
    }

    /// Delivers what is left, for so long at most.
    pub fn close(&self, most: Duration) {
        // Whether it was in time is seen from what is left.
        let _ = self.provider.shutdown_with_timeout(most);
        let left = self.queue.end();
        if left > 0 {
            tracing::warn!(left, "the host ended before these traces were delivered");
        }
    }
}

/// The trace that a caller says it is in; none if that can't be understood.
fn parent(traceparent: &str) -> Context {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    if context.span().span_context().is_valid() { context } else { Context::new() }
}
