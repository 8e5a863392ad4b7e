//! Traces for a collector, where the program was built with them: who watches an account or the API tells what is to be
//! traced, and never learns whether it is.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Result;
use bulkhead_api::{HostFigures, RequestObserver};
use bulkhead_configuration::Configuration;
use bulkhead_core::engine::Engine;
use bulkhead_store::journal::{NumberedOutput, Sequence};

use crate::arguments::WrongUsage;

/// How long the end of a run may take for what is not delivered yet.
pub(super) const LONGEST_END: Duration = Duration::from_millis(200);

/// The inputs of one account.
pub(super) trait InputTrace: Send {
    /// The engine took an input, which it was about to at this moment.
    fn took(&mut self, sequence: Sequence, began: SystemTime);

    /// Outputs of inputs up to `durable` may leave.
    fn released(&mut self, engine: &Engine, durable: Sequence, outputs: &[NumberedOutput]);
}

/// The way to a collector.
pub(super) trait Traces {
    /// For the requests to the API.
    fn requests(&self) -> Arc<dyn RequestObserver>;

    /// For the inputs of an account.
    fn inputs(&self, account: &str) -> Box<dyn InputTrace>;

    /// Delivers what is left, for so long at most.
    fn close(&self, most: Duration);
}

/// Starts them, if the configuration says where they go.
#[cfg(not(feature = "otlp"))]
pub(super) fn start(configuration: &Configuration, _: &HostFigures) -> Result<Option<Box<dyn Traces>>> {
    refuse(configuration)?;
    Ok(None)
}

/// A configuration that wants what was not built.
#[cfg(any(test, not(feature = "otlp")))]
fn refuse(configuration: &Configuration) -> Result<(), WrongUsage> {
    let problem = "[otlp] says where traces go, and this bulkhead was built without them: build it with \
                   `cargo build --release --features otlp`, or take the section out";
    if configuration.otlp.is_some() { Err(WrongUsage(problem.to_owned())) } else { Ok(()) }
}

#[cfg(feature = "otlp")]
pub(super) use self::collector::start;

#[cfg(feature = "otlp")]
mod collector {
    use std::collections::VecDeque;

    use anyhow::Context as _;
    use bulkhead_alerts::read_reference;
    use bulkhead_api::ServedRequest;
    use bulkhead_core::identifier::{InstrumentId, StrategyId};
    use bulkhead_core::order::OrderTerms;
    use bulkhead_core::output::Output;
    use bulkhead_otlp::{Counted, Settings, TracedInput, TracedOrder, TracedRequest};

    use super::*;

    /// Starts them, if the configuration says where they go.
    pub(in crate::run) fn start(
        configuration: &Configuration,
        figures: &HostFigures,
    ) -> Result<Option<Box<dyn Traces>>> {
        let Some(otlp) = &configuration.otlp else { return Ok(None) };
        let mut headers = Vec::new();
        for (name, reference) in &otlp.headers {
            let value = read_reference(reference, |name| std::env::var(name).ok())
                .map_err(|error| WrongUsage(format!("otlp.headers.{name} {error}")))?;
            headers.push((name.clone(), value.reveal().to_owned()));
        }
        let settings = Settings { endpoint: otlp.endpoint.clone(), headers, service: otlp.service.clone() };
        let figures = figures.clone();
        let count = Arc::new(move |what: Counted, spans| figures.spans(what.name(), spans));
        let traces = bulkhead_otlp::Traces::start(&settings, count).context("[otlp]")?;
        Ok(Some(Box::new(Collector(traces))))
    }

    struct Collector(bulkhead_otlp::Traces);

    impl Traces for Collector {
        fn requests(&self) -> Arc<dyn RequestObserver> {
            Arc::new(Requests(self.0.clone()))
        }

        fn inputs(&self, account: &str) -> Box<dyn InputTrace> {
            let inputs =
                Inputs { traces: self.0.clone(), account: account.to_owned(), taken: VecDeque::new() };
            Box::new(inputs)
        }

        fn close(&self, most: Duration) {
            self.0.close(most);
        }
    }

    struct Requests(bulkhead_otlp::Traces);

    impl RequestObserver for Requests {
        fn served(&self, request: &ServedRequest<'_>) {
            let ServedRequest { id, method, route, status, began, took, traceparent } = *request;
            self.0.request(&TracedRequest { id, method, route, status, began, took, traceparent });
        }
    }

    struct Inputs {
        traces: bulkhead_otlp::Traces,
        account: String,
        /// When inputs that are not durable yet were taken; the journal bounds how many there are.
        taken: VecDeque<(Sequence, SystemTime)>,
    }

    impl InputTrace for Inputs {
        fn took(&mut self, sequence: Sequence, began: SystemTime) {
            self.taken.push_back((sequence, began));
        }

        fn released(&mut self, engine: &Engine, durable: Sequence, outputs: &[NumberedOutput]) {
            let now = SystemTime::now();
            for of_input in outputs.chunk_by(|one, next| one.sequence == next.sequence) {
                let accepted = |numbered: &NumberedOutput| match &numbered.output {
                    Output::OrderAccepted(terms) => Some(order(engine, terms)),
                    _ => None,
                };
                let orders: Vec<TracedOrder> = of_input.iter().filter_map(accepted).collect();
                let Some(sequence) = of_input.first().map(|first| first.sequence) else { continue };
                while self.taken.pop_front_if(|(taken, _)| *taken < sequence).is_some() {}
                if !orders.is_empty() {
                    let began = self.taken.front().filter(|(taken, _)| *taken == sequence);
                    self.traces.input(&TracedInput {
                        account: &self.account,
                        sequence: sequence.0,
                        began: began.map_or(now, |(_, began)| *began),
                        ended: now,
                        orders: &orders,
                    });
                }
            }
            while self.taken.pop_front_if(|(taken, _)| *taken <= durable).is_some() {}
        }
    }

    fn order(engine: &Engine, terms: &OrderTerms) -> TracedOrder {
        TracedOrder {
            id: terms.id.0,
            strategy: slot(engine, terms.strategy),
            instrument: symbol(engine, terms.instrument),
            side: terms.side.name(),
        }
    }

    fn slot(engine: &Engine, id: StrategyId) -> String {
        engine.slot_of(id).map_or_else(|| id.to_string(), |slot| slot.name().to_owned())
    }

    fn symbol(engine: &Engine, id: InstrumentId) -> String {
        engine
            .settings()
            .instrument(id)
            .map_or_else(|| id.to_string(), |instrument| instrument.symbol.clone())
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_configuration::Layers;

    use super::*;

    #[test]
    fn without_what_was_not_built_the_configuration_is_refused_with_what_to_do() {
        let configuration = |set: &[&str]| {
            let mut layers = Layers::defaults();
            for setting in set {
                layers.add_flag(setting).unwrap();
            }
            layers.read().unwrap()
        };
        assert!(refuse(&configuration(&[])).is_ok());
        let refused = refuse(&configuration(&["otlp.endpoint=http://127.0.0.1:4318"])).unwrap_err();
        assert!(refused.to_string().contains("--features otlp"), "{refused}");
    }
}
