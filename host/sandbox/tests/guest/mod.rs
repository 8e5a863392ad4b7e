//! Tiny strategies in WebAssembly text. A guest is a core module whose functions can each be replaced by one
//! that misbehaves; the layout of records in its memory is the canonical ABI's.

// Each test file uses its own part of this.
#![allow(dead_code, unused_macros, unused_imports, reason = "shared by several test files")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a guest that can't be built is a mistake in the test")]

use std::cell::Cell;

use bulkhead_core::identifier::{ContentHash, InstrumentId};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::Bar;
use bulkhead_core::strategy::{Action, Event, Fault, InstanceConfig, Strategy};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_sandbox::{Limits, Refused, Sandbox, Settings, WasmStrategy};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::Resolve;

/// The contract, as a guest's author has it.
pub(crate) const WIT: &str = include_str!("../../../../wit/strategy.wit");

/// Where the answer to an event call lies: `result<reaction, string>`.
pub(crate) const ANSWER: u32 = 256;
/// Where `ok` without a value lies.
pub(crate) const OK: u32 = 320;
/// Where the answer to `save` lies.
const SAVED: u32 = 384;
/// Where an error is put together: `result<_, string>`.
const ERROR: u32 = 448;
/// Where the description lies.
const DESCRIPTION: u32 = 512;
/// Where an action is put together.
pub(crate) const ACTION: u32 = 1024;
/// Where texts lie.
const TEXTS: u32 = 4096;
/// Where memory that the host asks for begins.
const HEAP: u32 = 16384;
/// Size of an event in a list.
pub(crate) const EVENT_BYTES: u32 = 64;
/// Size of an action in a list.
pub(crate) const ACTION_BYTES: u32 = 144;

/// How a guest is given to the sandbox, and so how the host calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A core module, called as one.
    Module,
    /// The same as a ready component, called by wasmtime's component layer.
    Component,
}

pub(crate) const FORMS: [Form; 2] = [Form::Module, Form::Component];

thread_local! {
    static FORM: Cell<Form> = const { Cell::new(Form::Module) };
}

/// Runs a test with all its guests in one form.
pub(crate) fn in_form<T>(form: Form, test: impl FnOnce() -> T) -> T {
    let before = FORM.replace(form);
    let result = test();
    FORM.set(before);
    result
}

/// Makes two tests of each function: one with guests that are core modules, one with ready components.
macro_rules! both_ways {
    ($($test:ident),+ $(,)?) => {
        mod as_module {
            $(#[test] fn $test() { crate::guest::in_form(crate::guest::Form::Module, super::$test); })+
        }

        mod as_component {
            $(#[test] fn $test() { crate::guest::in_form(crate::guest::Form::Component, super::$test); })+
        }
    };
}
pub(crate) use both_ways;

/// A strategy in pieces.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) name: String,
    pub(crate) imports: String,
    pub(crate) memory: String,
    pub(crate) describe: String,
    pub(crate) init: String,
    pub(crate) on_events: String,
    pub(crate) save: String,
    pub(crate) restore: String,
    pub(crate) realloc: String,
    /// More definitions.
    pub(crate) more: String,
    /// The contract in its type section.
    pub(crate) wit: String,
    /// The interface's name in its exports.
    pub(crate) interface: String,
}

impl Default for Guest {
    /// Handles everything and does nothing.
    fn default() -> Self {
        Self {
            name: "quiet".to_owned(),
            imports: String::new(),
            memory: "(memory (export \"memory\") 8)".to_owned(),
            describe: format!("(i32.const {DESCRIPTION})"),
            init: format!("(i32.const {OK})"),
            on_events: handled_all(),
            save: format!("(i32.const {SAVED})"),
            restore: format!("(i32.const {OK})"),
            realloc:
                "(global.set $heap (i32.and (i32.add (global.get $heap) (i32.const 15)) (i32.const -16)))
                 (local.set $at (global.get $heap))
                 (global.set $heap (i32.add (global.get $heap) (local.get 3)))
                 (block $enough
                   (br_if $enough (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
                   (drop (memory.grow (i32.add (i32.shr_u (local.get 3) (i32.const 16)) (i32.const 1)))))
                 (local.get $at)"
                    .to_owned(),
            more: String::new(),
            wit: WIT.to_owned(),
            interface: "bulkhead:strategy/strategy@0.1.0".to_owned(),
        }
    }
}

/// An answer that all events were handled, without actions.
pub(crate) fn handled_all() -> String {
    format!(
        "(i32.store8 (i32.const {ANSWER}) (i32.const 0))
         (i32.store (i32.const {}) (local.get 1))
         (i32.store (i32.const {}) (i32.const 0))
         (global.set $heap (i32.const {HEAP}))
         (i32.const {ANSWER})",
        ANSWER + 4,
        ANSWER + 12,
    )
}

/// An error as the answer of any function.
pub(crate) fn error() -> String {
    let (at, length) = LINE;
    format!(
        "(i32.store8 (i32.const {ERROR}) (i32.const 1))
         (i32.store offset=4 (i32.const {ERROR}) (i32.const {at}))
         (i32.store offset=8 (i32.const {ERROR}) (i32.const {length}))
         (i32.const {ERROR})"
    )
}

/// An answer with `count` market buys of `quantity`, after the first event.
pub(crate) fn buys(quantity: &str, count: u32) -> String {
    format!("(local $at i32) (local $left i32) {}", buys_after("(i32.const 1)", quantity, count))
}

/// The same after as many events as `handled` says; needs two local variables.
fn buys_after(handled: &str, quantity: &str, count: u32) -> String {
    let list = ACTION;
    format!(
        "(local.set $at (i32.const {list}))
         (local.set $left (i32.const {count}))
         (block $done (loop $next
           (br_if $done (i32.eqz (local.get $left)))
           (i32.store offset=8 (local.get $at) (global.get $tag))
           (global.set $tag (i32.add (global.get $tag) (i32.const 1)))
           (i32.store8 offset=24 (local.get $at) (i32.const 1))
           (f64.store offset=32 (local.get $at) {quantity})
           (f64.store offset=128 (local.get $at) (f64.const 0.5))
           (local.set $at (i32.add (local.get $at) (i32.const {ACTION_BYTES})))
           (local.set $left (i32.sub (local.get $left) (i32.const 1)))
           (br $next)))
         (i32.store8 (i32.const {ANSWER}) (i32.const 0))
         (i32.store (i32.const {}) {handled})
         (i32.store (i32.const {}) (i32.const {list}))
         (i32.store (i32.const {}) (i32.const {count}))
         (global.set $heap (i32.const {HEAP}))
         (i32.const {ANSWER})",
        ANSWER + 4,
        ANSWER + 8,
        ANSWER + 12,
    )
}

impl Guest {
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// A well-behaved strategy with a memory: buys when the close is above its exponential average, then
    /// gives back the rest of the events. Events other than bars are nothing to it.
    pub(crate) fn steady() -> Self {
        let buy = buys_after("(local.get $handled)", "(f64.div (local.get $close) (f64.const 1000))", 1);
        let on_events = format!(
            "(local $at i32) (local $left i32) (local $handled i32) (local $close f64)
             (block $all (loop $next
               (br_if $all (i32.ge_u (local.get $handled) (local.get 1)))
               (local.set $at
                 (i32.add (local.get 0) (i32.mul (local.get $handled) (i32.const {EVENT_BYTES}))))
               (local.set $handled (i32.add (local.get $handled) (i32.const 1)))
               (br_if $next (i32.load8_u (local.get $at)))
               (local.set $close (f64.load offset=48 (local.get $at)))
               (f64.store (i32.const {STATE}) (f64.add
                 (f64.mul (f64.load (i32.const {STATE})) (f64.const 0.9))
                 (f64.mul (local.get $close) (f64.const 0.1))))
               (br_if $next (f64.le (local.get $close) (f64.load (i32.const {STATE}))))
               {buy}
               return))
             {}",
            handled_all(),
        );
        Self { on_events, restore: Self::take_state(), ..Self::named("steady") }
    }

    /// A `restore` that copies the eight bytes that `save` wrote.
    fn take_state() -> String {
        format!(
            "(i64.store (i32.const {STATE}) (i64.load (local.get 1)))
             (global.set $heap (i32.const {HEAP}))
             (i32.const {OK})"
        )
    }

    pub(crate) fn on_events(mut self, body: impl Into<String>) -> Self {
        self.on_events = body.into();
        self
    }

    pub(crate) fn import_log(mut self) -> Self {
        self.imports =
            "(import \"bulkhead:strategy/logging@0.1.0\" \"log\" (func $log (param i32 i32 i32)))".into();
        self
    }

    /// The module's text.
    pub(crate) fn wat(&self) -> String {
        let Self {
            imports, memory, describe, init, on_events, save, restore, realloc, more, interface, ..
        } = self;
        let data = self.data();
        format!(
            r#"(module
              {imports}
              {memory}
              (global $heap (mut i32) (i32.const {HEAP}))
              (global $tag (mut i32) (i32.const 1))
              (global $calls (mut i32) (i32.const 0))
              (func (export "{interface}#describe") (result i32) {describe})
              (func (export "{interface}#init") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {init})
              (func $on_events (export "{interface}#on-events") (param i32 i32) (result i32) {on_events})
              (func (export "{interface}#save") (result i32) {save})
              (func (export "{interface}#restore") (param i32 i32 i32) (result i32) {restore})
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32) {realloc})
              {more}
              {data})"#
        )
    }

    fn data(&self) -> String {
        let mut description = Record::default();
        let name = TEXTS;
        description.word(name).word(u32::try_from(self.name.len()).unwrap()); // name
        description.word(name + 100).word(5); // version
        description.word(1); // state-schema
        description.word(0).word(0); // parameters
        description.word(name + 120).word(1); // bar-intervals
        description.word(0); // quotes, trades
        description.word(0).word(0); // signals
        description.word(0); // timer-seconds
        description.word(0); // warm-up-bars
        let mut saved = Record::default();
        saved.word(0).word(1).word(STATE).word(8);
        let mut interval = Record::default();
        interval.word(60);
        [
            (DESCRIPTION, description.text()),
            (SAVED, saved.text()),
            (name, self.name.clone()),
            (name + 100, "1.0.0".to_owned()),
            (name + 120, interval.text()),
            (TEXTS + 200, "hello \\1b[31mlog".to_owned()),
        ]
        .into_iter()
        .filter(|_| self.memory.contains("memory"))
        .map(|(at, text)| format!("(data (i32.const {at}) \"{text}\")"))
        .collect()
    }

    /// The module with its type section.
    pub(crate) fn module(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.wat()).unwrap_or_else(|error| panic!("{error}\n{}", self.wat()));
        embed(&mut module, &self.wit);
        module
    }

    /// The same as a ready component.
    pub(crate) fn component(&self) -> Vec<u8> {
        component(&self.module())
    }
}

/// Eight bytes of a guest's memory that `save` writes down.
pub(crate) const STATE: u32 = 128;
/// A log line in a guest's memory, and its length.
pub(crate) const LINE: (u32, u32) = (TEXTS + 200, 14);

/// A module as a ready component.
pub(crate) fn component(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default().module(module).unwrap().encode().unwrap()
}

/// Adds the type section of a contract to a module.
pub(crate) fn embed(module: &mut Vec<u8>, wit: &str) {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("strategy.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    wit_component::embed_component_metadata(module, &resolve, world, StringEncoding::UTF8, false).unwrap();
}

/// A record in a guest's memory.
#[derive(Default)]
struct Record(Vec<u8>);

impl Record {
    fn word(&mut self, word: u32) -> &mut Self {
        self.0.extend(word.to_le_bytes());
        self
    }

    fn text(&self) -> String {
        self.0.iter().map(|byte| format!("\\{byte:02x}")).collect()
    }
}

/// A sandbox with the given limits, without directories.
pub(crate) fn sandbox(limits: Limits) -> Sandbox {
    Sandbox::new(Settings { limits, ..Settings::default() }).unwrap()
}

pub(crate) fn prepare(sandbox: &Sandbox, guest: &Guest) -> ContentHash {
    try_prepare(sandbox, guest).unwrap_or_else(|refused| panic!("{}: {refused}", guest.name))
}

pub(crate) fn try_prepare(sandbox: &Sandbox, guest: &Guest) -> Result<ContentHash, Refused> {
    sandbox.prepare(&file(guest)).map(|(version, _)| version)
}

/// A guest's file, in the form that is being tested.
pub(crate) fn file(guest: &Guest) -> Vec<u8> {
    match FORM.get() {
        Form::Module => guest.module(),
        Form::Component => guest.component(),
    }
}

pub(crate) fn start(sandbox: &Sandbox, guest: &Guest) -> WasmStrategy {
    let version = prepare(sandbox, guest);
    sandbox.start(&version, &config()).unwrap()
}

pub(crate) fn config() -> InstanceConfig {
    InstanceConfig {
        instruments: vec![(InstrumentId(0), Instrument::new("BTC-USD", 2, 8))],
        ..InstanceConfig::default()
    }
}

/// The minute bar number `index`, with a price that goes up and down.
pub(crate) fn bar(index: u32) -> Event {
    let wave = f64::from((index * 7) % 13) - 6.0;
    let close = 100.0 + wave;
    Event::Bar(Bar {
        instrument: InstrumentId(0),
        interval: Span::MINUTE,
        open_time: Timestamp::from_seconds(1_700_000_040 + i64::from(index) * 60),
        open: close,
        high: close + 1.0,
        low: close - 1.0,
        close,
        volume: 10.0,
    })
}

pub(crate) fn bars(count: u32) -> Vec<Event> {
    (0..count).map(bar).collect()
}

/// Hands over one event.
pub(crate) fn one(strategy: &mut dyn Strategy, event: &Event) -> Result<Vec<Action>, Fault> {
    let mut actions = Vec::new();
    let handled = strategy.on_events(std::slice::from_ref(event), &mut actions)?;
    assert_eq!(handled, 1);
    Ok(actions)
}

/// Hands over all events, `batch` at most in a call, and collects what is proposed.
pub(crate) fn run(strategy: &mut dyn Strategy, events: &[Event], batch: usize) -> Result<Vec<Action>, Fault> {
    let mut actions = Vec::new();
    let mut at = 0;
    while at < events.len() {
        let end = events.len().min(at + batch);
        at += strategy.on_events(&events[at..end], &mut actions)?;
    }
    Ok(actions)
}
