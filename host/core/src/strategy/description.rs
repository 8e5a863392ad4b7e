//! What a strategy says of itself, and what an instance is told at its start.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::identifier::{InstrumentId, SignalId};
use crate::instrument::Instrument;
use crate::strategy::History;
use crate::time::Span;

/// Identity and needs of a strategy version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// Lower case with hyphens.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Number of the layout that the version saves its memory in.
    pub state_schema: u32,
    /// What the operator may set.
    pub parameters: Vec<Parameter>,
    /// What the strategy is fed.
    pub needs: Needs,
    /// How many bars of each interval it must see before it can act.
    pub warm_up_bars: u32,
}

/// What a strategy wants to be fed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Needs {
    /// Bar lengths.
    pub bar_intervals: Vec<Span>,
    /// Whether it wants quotes.
    pub quotes: bool,
    /// Whether it wants the market's trades.
    pub trades: bool,
    /// Names of the signals it wants.
    pub signals: Vec<String>,
    /// How often it wants a timer event.
    pub timer: Option<Span>,
}

/// A parameter that the operator may set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Lower case with underscores.
    pub name: String,
    /// What it does, with its unit.
    pub meaning: String,
    /// Used when the operator sets nothing; decides the type.
    pub default: ParameterValue,
    /// Smallest allowed number.
    pub minimum: Option<f64>,
    /// Largest allowed number.
    pub maximum: Option<f64>,
}

/// A parameter's value. People write it as it is; formats that can't tell a number from a text get its kind
/// as well.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// True or false.
    Flag(bool),
    /// A whole number.
    Integer(i32),
    /// Any number.
    Number(f64),
    /// A text.
    Text(String),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, remote = "ParameterValue")]
enum PlainValue {
    Flag(bool),
    Integer(i32),
    Number(f64),
    Text(String),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ParameterValue")]
enum KindAndValue {
    Flag(bool),
    Integer(i32),
    Number(f64),
    Text(String),
}

impl Serialize for ParameterValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            PlainValue::serialize(self, serializer)
        } else {
            KindAndValue::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for ParameterValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            PlainValue::deserialize(deserializer)
        } else {
            KindAndValue::deserialize(deserializer)
        }
    }
}

/// The types of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// True or false.
    Flag,
    /// A whole number of 32 bits.
    Integer,
    /// A finite number.
    Number,
    /// A text.
    Text,
}

impl fmt::Display for ParameterKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Flag => "true or false",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Text => "a text",
        })
    }
}

impl fmt::Display for ParameterValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(v) => v.fmt(formatter),
            Self::Integer(v) => v.fmt(formatter),
            Self::Number(v) => v.fmt(formatter),
            Self::Text(v) => v.fmt(formatter),
        }
    }
}

impl ParameterValue {
    /// The value's type.
    #[must_use]
    pub const fn kind(&self) -> ParameterKind {
        match self {
            Self::Flag(_) => ParameterKind::Flag,
            Self::Integer(_) => ParameterKind::Integer,
            Self::Number(_) => ParameterKind::Number,
            Self::Text(_) => ParameterKind::Text,
        }
    }
}

/// A setting that a strategy's description does not allow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidParameter {
    /// No such parameter.
    #[error("parameter \"{name}\" does not exist; there are: {known}")]
    Unknown {
        /// What was set.
        name: String,
        /// What could be set, separated by commas.
        known: String,
    },
    /// The value has another type.
    #[error("parameter \"{name}\" is {found}; {expected} is expected")]
    WrongType {
        /// Which.
        name: String,
        /// The value given.
        found: String,
        /// What it must be.
        expected: ParameterKind,
    },
    /// The value is out of range.
    #[error("parameter \"{name}\" is {found}; it must be from {minimum} to {maximum}")]
    OutOfRange {
        /// Which.
        name: String,
        /// The value given.
        found: String,
        /// Smallest allowed.
        minimum: f64,
        /// Largest allowed.
        maximum: f64,
    },
}

impl Parameter {
    /// Checks a value against type and range; a whole number is taken where any number is.
    ///
    /// # Errors
    ///
    /// [`InvalidParameter`] with the value and what is allowed.
    pub fn check(&self, value: &ParameterValue) -> Result<ParameterValue, InvalidParameter> {
        let wrong = || InvalidParameter::WrongType {
            name: self.name.clone(),
            found: value.to_string(),
            expected: self.default.kind(),
        };
        let value = match (self.default.kind(), value) {
            (ParameterKind::Number, ParameterValue::Integer(v)) => ParameterValue::Number(f64::from(*v)),
            (kind, v) if kind == v.kind() => v.clone(),
            _ => return Err(wrong()),
        };
        let number = match &value {
            ParameterValue::Integer(v) => f64::from(*v),
            ParameterValue::Number(v) if v.is_finite() => *v,
            ParameterValue::Number(_) => return Err(wrong()),
            ParameterValue::Flag(_) | ParameterValue::Text(_) => return Ok(value),
        };
        let minimum = self.minimum.unwrap_or(f64::MIN);
        let maximum = self.maximum.unwrap_or(f64::MAX);
        if (minimum..=maximum).contains(&number) {
            Ok(value)
        } else {
            let found = value.to_string();
            Err(InvalidParameter::OutOfRange { name: self.name.clone(), found, minimum, maximum })
        }
    }
}

impl Description {
    /// Checks what the operator set and adds the defaults of the rest.
    ///
    /// # Errors
    ///
    /// All settings that the description does not allow.
    pub fn settings(
        &self,
        set: &BTreeMap<String, ParameterValue>,
    ) -> Result<Vec<(String, ParameterValue)>, Vec<InvalidParameter>> {
        let mut errors: Vec<InvalidParameter> = set
            .keys()
            .filter(|name| !self.parameters.iter().any(|parameter| parameter.name == **name))
            .map(|name| InvalidParameter::Unknown {
                name: name.clone(),
                known: self.parameters.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", "),
            })
            .collect();
        let mut settings = Vec::with_capacity(self.parameters.len());
        for parameter in &self.parameters {
            match parameter.check(set.get(&parameter.name).unwrap_or(&parameter.default)) {
                Ok(value) => settings.push((parameter.name.clone(), value)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(settings) } else { Err(errors) }
    }
}

/// All that an instance is told at its start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InstanceConfig {
    /// What it may trade.
    pub instruments: Vec<(InstrumentId, Instrument)>,
    /// Every parameter of the description.
    pub settings: Vec<(String, ParameterValue)>,
    /// The signals it asked for, with their numbers.
    pub signals: Vec<(SignalId, String)>,
    /// Past bars for its warm-up.
    pub history: Vec<History>,
}
