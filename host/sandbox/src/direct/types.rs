//! The contract's records and variants, field by field and case by case in the order of the WIT file. The types
//! are those that wasmtime's `bindgen!` makes of that file, so a field or case that is missing here or has another
//! type does not compile; that the order is the file's too is a test's to find.

use wasmtime::{Error, bail};

use super::abi::{Layout, Lift, Lifting, Lower, Lowering, align, largest, part, part_mut, put};
/// The types of all interfaces together, whose names differ.
mod wit {
    pub(super) use crate::bindings::bulkhead::strategy::inference::*;
    pub(super) use crate::bindings::bulkhead::strategy::types::*;
}

/// A record's layout, and its way in or out; the fields of a flat one are parameters of a function.
macro_rules! record {
    (in $name:ident $fields:tt) => { record!(@layout $name $fields); record!(@in $name $fields); };
    (out $name:ident $fields:tt) => { record!(@layout $name $fields); record!(@out $name $fields); };
    (flat $name:ident $fields:tt) => { record!(@layout $name $fields); };
    (@layout $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        impl Layout for wit::$name {
            const SIZE: usize = {
                let mut at = 0;
                $(at = align(at, <$type>::ALIGN) + <$type>::SIZE;)+
                align(at, Self::ALIGN)
            };
            const ALIGN: usize = largest(&[1, $(<$type>::ALIGN),+]);
        }

        #[cfg(test)]
        impl tests::Parts for wit::$name {
            fn parts() -> Vec<tests::Part> {
                let mut at = 0;
                vec![$({
                    at = align(at, <$type>::ALIGN) + <$type>::SIZE;
                    tests::Part::new::<$type>(stringify!($field), at - <$type>::SIZE)
                }),+]
            }
        }
    };
    (@in $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        impl Lower for wit::$name {
            #[inline]
            fn lower(&self, guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
                let Self { $($field),+ } = self;
                let mut at = 0;
                $(
                    at = align(at, <$type>::ALIGN);
                    <$type>::lower($field, guest, part_mut(bytes, at, <$type>::SIZE)?)?;
                    at += <$type>::SIZE;
                )+
                let _ = at;
                Ok(())
            }
        }
    };
    (@out $name:ident { $($field:ident: $type:ty),+ $(,)? }) => {
        impl Lift for wit::$name {
            #[inline]
            fn lift(guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error> {
                let mut at = 0;
                $(
                    at = align(at, <$type>::ALIGN);
                    let $field = <$type>::lift(guest, part(bytes, at, <$type>::SIZE)?)?;
                    at += <$type>::SIZE;
                )+
                let _ = at;
                Ok(Self { $($field),+ })
            }
        }
    };
}

/// A variant's or enum's layout, and its way in, out, or both. Its discriminant is one byte, as for all with up
/// to 256 cases.
macro_rules! variant {
    (in and out $name:ident $cases:tt) => { variant!(in $name $cases); variant!(@out $name $cases); };
    (in $name:ident $cases:tt) => { variant!(@layout $name $cases); variant!(@in $name $cases); };
    (out $name:ident $cases:tt) => { variant!(@layout $name $cases); variant!(@out $name $cases); };
    (@layout $name:ident { $($number:literal $case:ident $(($value:ident: $type:ty))?),+ $(,)? }) => {
        impl Layout for wit::$name {
            const SIZE: usize =
                align(align(1, Self::ALIGN) + largest(&[$($(<$type>::SIZE,)?)+]), Self::ALIGN);
            const ALIGN: usize = largest(&[1, $($(<$type>::ALIGN,)?)+]);
        }

        #[cfg(test)]
        impl tests::Parts for wit::$name {
            fn parts() -> Vec<tests::Part> {
                let at = align(1, <Self as Layout>::ALIGN);
                let mut parts = Vec::new();
                $(
                    assert_eq!(parts.len(), $number, "the number of {}", stringify!($case));
                    #[allow(unused_mut, unused_assignments, reason = "most cases have a value")]
                    let mut part = tests::Part::new::<()>(stringify!($case), at);
                    $(part = tests::Part::new::<$type>(stringify!($case), at);)?
                    parts.push(part);
                )+
                parts
            }
        }
    };
    (@in $name:ident { $($number:literal $case:ident $(($value:ident: $type:ty))?),+ $(,)? }) => {
        impl Lower for wit::$name {
            #[inline]
            #[allow(unused_variables, reason = "an enum has no values")]
            fn lower(&self, guest: &mut Lowering<'_>, bytes: &mut [u8]) -> Result<(), Error> {
                let at = align(1, Self::ALIGN);
                match self {
                    $(Self::$case $(($value))? => {
                        put(bytes, &[$number])?;
                        $(<$type>::lower($value, guest, part_mut(bytes, at, <$type>::SIZE)?)?;)?
                    })+
                }
                Ok(())
            }
        }
    };
    (@out $name:ident { $($number:literal $case:ident $(($value:ident: $type:ty))?),+ $(,)? }) => {
        impl Lift for wit::$name {
            #[inline]
            #[allow(unused_variables, reason = "an enum has no values")]
            fn lift(guest: &mut Lifting<'_>, bytes: &[u8]) -> Result<Self, Error> {
                let at = align(1, Self::ALIGN);
                Ok(match u8::lift(guest, bytes)? {
                    $($number => Self::$case $((<$type>::lift(guest, part(bytes, at, <$type>::SIZE)?)?))?,)+
                    other => bail!("unexpected discriminant: {other}"),
                })
            }
        }
    };
}

record!(in Timestamp { seconds: u32, nanos: u32 });

variant!(in and out ParameterValue {
    0 Number(value: f64),
    1 Integer(value: i32),
    2 Flag(value: bool),
    3 Text(value: String),
});

record!(out Parameter {
    name: String,
    meaning: String,
    default: wit::ParameterValue,
    minimum: Option<f64>,
    maximum: Option<f64>,
});

record!(out Inputs {
    bar_intervals: Vec<u32>,
    quotes: bool,
    trades: bool,
    signals: Vec<String>,
    timer_seconds: u32,
});

record!(out Description {
    name: String,
    version: String,
    state_schema: u32,
    parameters: Vec<wit::Parameter>,
    inputs: wit::Inputs,
    warm_up_bars: u32,
});

record!(in Instrument { id: u32, symbol: String, tick: f64, lot: f64, min_notional: f64 });

record!(in History {
    instrument: u32,
    interval: u32,
    open_time: Vec<u32>,
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
});

record!(in SignalName { id: u32, name: String });

record!(in Setting { name: String, value: wit::ParameterValue });

record!(flat Config {
    instruments: Vec<wit::Instrument>,
    settings: Vec<wit::Setting>,
    signals: Vec<wit::SignalName>,
    history: Vec<wit::History>,
});

record!(in Bar {
    instrument: u32,
    interval: u32,
    open_time: wit::Timestamp,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
});

record!(in Quote {
    instrument: u32,
    time: wit::Timestamp,
    bid: f64,
    ask: f64,
    bid_size: f64,
    ask_size: f64,
    liquidity: f64,
});

variant!(in Side { 0 Buy, 1 Sell });

record!(in Trade { instrument: u32, time: wit::Timestamp, price: f64, quantity: f64, taker: wit::Side });

record!(in Signal { instrument: u32, id: u32, time: wit::Timestamp, value: f64 });

variant!(in FillCause {
    0 Order,
    1 StopLoss,
    2 Breakeven,
    3 TrailingStop,
    4 TakeProfit,
    5 TimeStop,
    6 Operator,
});

record!(in Fill {
    tag: u32,
    instrument: u32,
    time: wit::Timestamp,
    side: wit::Side,
    price: f64,
    quantity: f64,
    fee: f64,
    cause: wit::FillCause,
});

variant!(in OrderStatus {
    0 Accepted,
    1 PartiallyFilled,
    2 Filled,
    3 Denied,
    4 Rejected,
    5 Cancelled,
    6 Expired,
});

record!(in OrderUpdate {
    tag: u32,
    instrument: u32,
    time: wit::Timestamp,
    status: wit::OrderStatus,
    filled: f64,
    reason: String,
});

record!(in Position {
    instrument: u32,
    time: wit::Timestamp,
    quantity: f64,
    average_price: f64,
    realised: f64,
});

record!(in Capital { time: wit::Timestamp, equity: f64, free_cash: f64 });

variant!(in Event {
    0 Bar(value: wit::Bar),
    1 Quote(value: wit::Quote),
    2 Trade(value: wit::Trade),
    3 Signal(value: wit::Signal),
    4 Timer(value: wit::Timestamp),
    5 Fill(value: wit::Fill),
    6 OrderUpdate(value: wit::OrderUpdate),
    7 Position(value: wit::Position),
    8 Capital(value: wit::Capital),
});

variant!(out Amount {
    0 Standard,
    1 Quantity(value: f64),
    2 Notional(value: f64),
    3 CapitalShare(value: f64),
});

variant!(out Intent {
    0 Buy(value: wit::Amount),
    1 Sell(value: wit::Amount),
    2 Target(value: f64),
    3 Close,
});

variant!(out OrderKind { 0 Market, 1 Limit(value: f64) });

record!(out TakeProfit { gain: f64, share: f64 });

record!(out ExitPlan {
    stop_loss: Option<f64>,
    breakeven: Option<f64>,
    trailing: Option<f64>,
    take_profits: Vec<wit::TakeProfit>,
    max_holding_seconds: Option<u32>,
});

record!(out Submit {
    tag: u32,
    instrument: u32,
    intent: wit::Intent,
    kind: wit::OrderKind,
    exits: Option<wit::ExitPlan>,
});

record!(out ChangeExits { instrument: u32, plan: wit::ExitPlan });

variant!(out Proposal {
    0 Submit(value: wit::Submit),
    1 Cancel(value: u32),
    2 ChangeExits(value: wit::ChangeExits),
});

record!(out Action { proposal: wit::Proposal, confidence: f64, reason: String });

record!(out Reaction { consumed: u32, actions: Vec<wit::Action> });

record!(out SavedState { schema: u32, bytes: Vec<u8> });

variant!(out LogLevel { 0 Debug, 1 Info, 2 Warn, 3 Error });

record!(in ModelOutput { name: String, width: u32 });

record!(in ModelNote { key: String, text: String });

record!(in Model {
    hash: String,
    row: u32,
    outputs: Vec<wit::ModelOutput>,
    notes: Vec<wit::ModelNote>,
    work: f64,
});

/// The level that a guest passes as a number.
pub(super) fn log_level(level: u32) -> Result<wit::LogLevel, Error> {
    let Ok(level) = u8::try_from(level) else { bail!("unexpected discriminant: {level}") };
    wit::LogLevel::lift(&mut Lifting::new(&[], 0), &[level])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wit_parser::{Resolve, SizeAlign, Type, TypeDefKind};

    use super::*;

    /// A field, or a case's value.
    #[derive(Debug, PartialEq)]
    pub(super) struct Part {
        /// In lower case and without separators, so that WIT's names and Rust's are the same.
        name: String,
        offset: usize,
        size: usize,
        alignment: usize,
    }

    impl Part {
        pub(super) fn new<T: Layout>(name: &str, offset: usize) -> Self {
            Self { name: plain(name), offset, size: T::SIZE, alignment: T::ALIGN }
        }
    }

    pub(super) trait Parts {
        fn parts() -> Vec<Part>;
    }

    fn plain(name: &str) -> String {
        name.replace(['-', '_'], "").to_lowercase()
    }

    /// Size, alignment and parts of every type of the contract, by name.
    type Layouts = BTreeMap<String, (usize, usize, Vec<Part>)>;

    macro_rules! here {
        ($($name:ident),+ $(,)?) => {
            BTreeMap::from([$((
                plain(stringify!($name)),
                (<wit::$name as Layout>::SIZE, <wit::$name as Layout>::ALIGN, <wit::$name as Parts>::parts()),
            )),+])
        };
    }

    fn contract() -> (Resolve, SizeAlign) {
        let mut resolve = Resolve::default();
        resolve.push_source("strategy.wit", include_str!("../../../../wit/strategy.wit")).unwrap();
        let mut layout = SizeAlign::default();
        layout.fill(&resolve).unwrap();
        (resolve, layout)
    }

    /// What the library that makes components says.
    fn there() -> Layouts {
        let (resolve, layout) = contract();
        let measure = |ty: &Type| (layout.size(ty).size_wasm32(), layout.align(ty).align_wasm32());
        let case = |name: &str, ty: Option<&Type>, offset: usize| {
            let (size, alignment) = ty.map_or((0, 1), measure);
            Part { name: plain(name), offset, size, alignment }
        };
        let mut found = Layouts::new();
        for (id, definition) in &resolve.types {
            let Some(name) = &definition.name else { continue };
            let parts = match &definition.kind {
                TypeDefKind::Record(record) => layout
                    .field_offsets(record.fields.iter().map(|field| &field.ty))
                    .into_iter()
                    .zip(&record.fields)
                    .map(|((offset, ty), field)| case(&field.name, Some(ty), offset.size_wasm32()))
                    .collect(),
                TypeDefKind::Variant(variant) => {
                    let values = variant.cases.iter().map(|case| case.ty.as_ref());
                    let offset = layout.payload_offset(variant.tag(), values).size_wasm32();
                    variant.cases.iter().map(|each| case(&each.name, each.ty.as_ref(), offset)).collect()
                }
                TypeDefKind::Enum(cases) => {
                    cases.cases.iter().map(|each| case(&each.name, None, 1)).collect()
                }
                // An interface's name for another's type.
                TypeDefKind::Type(_) => continue,
                other => panic!("{name}: there is no layout for {other:?}"),
            };
            let (size, alignment) = measure(&Type::Id(id));
            assert!(found.insert(plain(name), (size, alignment, parts)).is_none(), "{name} twice");
        }
        found
    }

    #[test]
    fn every_type_lies_in_memory_as_the_contract_says() {
        let here: Layouts = here![
            Timestamp,
            ParameterValue,
            Parameter,
            Inputs,
            Description,
            Instrument,
            History,
            SignalName,
            Setting,
            Config,
            Bar,
            Quote,
            Side,
            Trade,
            Signal,
            FillCause,
            Fill,
            OrderStatus,
            OrderUpdate,
            Position,
            Capital,
            Event,
            Amount,
            Intent,
            OrderKind,
            TakeProfit,
            ExitPlan,
            Submit,
            ChangeExits,
            Proposal,
            Action,
            Reaction,
            SavedState,
            LogLevel,
            ModelOutput,
            ModelNote,
            Model,
        ];
        let there = there();
        assert_eq!(here.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
        for (name, layout) in &there {
            assert_eq!(here.get(name), Some(layout), "{name}");
        }
    }

    #[test]
    fn every_answer_lies_in_memory_as_the_contract_says() {
        fn of<T: Layout>() -> (usize, usize) {
            (T::SIZE, T::ALIGN)
        }
        let (resolve, layout) = contract();
        let (_, strategy) =
            resolve.interfaces.iter().find(|(_, each)| each.name.as_deref() == Some("strategy")).unwrap();
        for (name, here) in [
            ("describe", of::<wit::Description>()),
            ("init", of::<Result<(), String>>()),
            ("on-events", of::<Result<wit::Reaction, String>>()),
            ("save", of::<Result<wit::SavedState, String>>()),
            ("restore", of::<Result<(), String>>()),
        ] {
            let answer = strategy.functions[name].result.unwrap();
            let there = (layout.size(&answer).size_wasm32(), layout.align(&answer).align_wasm32());
            assert_eq!(here, there, "{name}");
        }
        let (_, inference) =
            resolve.interfaces.iter().find(|(_, each)| each.name.as_deref() == Some("inference")).unwrap();
        for (name, here) in [("describe", of::<Option<wit::Model>>()), ("run", of::<Vec<f32>>())] {
            let answer = inference.functions[name].result.unwrap();
            let there = (layout.size(&answer).size_wasm32(), layout.align(&answer).align_wasm32());
            assert_eq!(here, there, "{name}");
        }
    }

    #[test]
    fn no_level_is_taken_for_another() {
        let levels: Vec<_> = (0..4).map(|level| log_level(level).unwrap()).collect();
        let named = [wit::LogLevel::Debug, wit::LogLevel::Info, wit::LogLevel::Warn, wit::LogLevel::Error];
        assert_eq!(format!("{levels:?}"), format!("{named:?}"));
        for level in [4, 255, 256, 257, u32::MAX] {
            assert!(log_level(level).is_err(), "{level}");
        }
    }
}
