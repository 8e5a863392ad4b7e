//! What the operator can set, from a struct.
//!
//! `#[derive(Parameters)]` on a struct with named fields makes each field a parameter: its doc comment is the
//! meaning that the operator reads, `#[parameter(default = …, min = …, max = …)]` its default and range.
//!
//! ```
//! use bulkhead_sdk::Parameters;
//!
//! #[derive(Parameters)]
//! struct Settings {
//!     /// Bars in the average.
//!     #[parameter(default = 20, min = 2, max = 500)]
//!     period: u32,
//!     /// Smallest rise that counts, as a fraction.
//!     #[parameter(default = 0.01, min = 0.0, max = 1.0)]
//!     rise: f64,
//!     /// Whether to trade at all.
//!     #[parameter(default = true)]
//!     enabled: bool,
//! }
//!
//! assert_eq!(Settings::default().period, 20);
//! assert_eq!(Settings::describe()[1].meaning, "Smallest rise that counts, as a fraction.");
//! ```
//!
//! The derive also implements [`Default`], so that tests can write
//! `Settings { period: 3, ..Settings::default() }`.

use crate::{Parameter, ParameterValue, Setting};

/// What the operator can set; derive it.
pub trait Parameters: Sized + 'static {
    /// Every parameter with its meaning, default and range.
    fn describe() -> Vec<Parameter>;

    /// Takes the settings over, and the default of what is not set.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, one sentence each, separated by `; `.
    fn from_settings(settings: &[Setting]) -> Result<Self, String>;

    /// The values as settings, in the order of [`Parameters::describe`].
    fn to_settings(&self) -> Vec<Setting>;
}

/// No parameters.
impl Parameters for () {
    fn describe() -> Vec<Parameter> {
        Vec::new()
    }

    fn from_settings(settings: &[Setting]) -> Result<Self, String> {
        Reader::new(settings).finish(&[])
    }

    fn to_settings(&self) -> Vec<Setting> {
        Vec::new()
    }
}

/// A type that a parameter can have: `bool`, `f64`, `String`, and whole numbers that fit 32 bits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type of a parameter",
    label = "use bool, f64, String, or one of u8, u16, u32, usize, i8, i16, i32"
)]
pub trait ParameterType: Sized {
    /// What the operator is told to give.
    const EXPECTED: &'static str;

    /// The value as the contract writes it.
    fn to_value(&self) -> ParameterValue;

    /// Reads the contract's value; `None` when it has another type or does not fit.
    fn from_value(value: &ParameterValue) -> Option<Self>;

    /// The smallest value that can be told at all.
    const SMALLEST: Option<f64> = None;
    /// The largest value that can be told at all.
    const LARGEST: Option<f64> = None;
}

/// A type of parameter that can have a range.
#[diagnostic::on_unimplemented(
    message = "a parameter of type `{Self}` can't have a range",
    label = "`min` and `max` are for numbers"
)]
pub trait RangedType: ParameterType {}

impl ParameterType for bool {
    const EXPECTED: &'static str = "true or false";

    fn to_value(&self) -> ParameterValue {
        ParameterValue::Flag(*self)
    }

    fn from_value(value: &ParameterValue) -> Option<Self> {
        if let ParameterValue::Flag(flag) = value { Some(*flag) } else { None }
    }
}

impl ParameterType for String {
    const EXPECTED: &'static str = "a text";

    fn to_value(&self) -> ParameterValue {
        ParameterValue::Text(self.clone())
    }

    fn from_value(value: &ParameterValue) -> Option<Self> {
        if let ParameterValue::Text(text) = value { Some(text.clone()) } else { None }
    }
}

impl ParameterType for f64 {
    const EXPECTED: &'static str = "a number";

    fn to_value(&self) -> ParameterValue {
        ParameterValue::Number(*self)
    }

    fn from_value(value: &ParameterValue) -> Option<Self> {
        match value {
            ParameterValue::Number(number) if number.is_finite() => Some(*number),
            ParameterValue::Integer(number) => Some(Self::from(*number)),
            _ => None,
        }
    }
}

impl RangedType for f64 {}

macro_rules! whole_numbers {
    ($($kind:ty: $smallest:expr, $largest:expr;)*) => {$(
        impl ParameterType for $kind {
            const EXPECTED: &'static str = "a whole number";
            const SMALLEST: Option<f64> = Some($smallest);
            const LARGEST: Option<f64> = Some($largest);

            fn to_value(&self) -> ParameterValue {
                // Only values that fit came in; a default that does not is refused by the derive.
                ParameterValue::Integer(i32::try_from(*self).unwrap_or(i32::MAX))
            }

            fn from_value(value: &ParameterValue) -> Option<Self> {
                if let ParameterValue::Integer(number) = value { Self::try_from(*number).ok() } else { None }
            }
        }

        impl RangedType for $kind {}
    )*};
}

whole_numbers! {
    u8: 0.0, 255.0;
    u16: 0.0, 65_535.0;
    u32: 0.0, 2_147_483_647.0;
    usize: 0.0, 2_147_483_647.0;
    i8: -128.0, 127.0;
    i16: -32_768.0, 32_767.0;
    i32: -2_147_483_648.0, 2_147_483_647.0;
}

/// Reads settings and gathers what is wrong with them. The derive writes the calls.
#[doc(hidden)]
#[derive(Debug)]
pub struct Reader<'a> {
    settings: &'a [Setting],
    errors: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Reads from these.
    #[must_use]
    pub const fn new(settings: &'a [Setting]) -> Self {
        Self { settings, errors: Vec::new() }
    }

    /// The value set, or else the default.
    pub fn read<T: ParameterType>(&mut self, parameter: &Parameter, default: T) -> T {
        let mut of_name = self.settings.iter().filter(|setting| setting.name == parameter.name);
        let Some(setting) = of_name.next() else { return default };
        if of_name.next().is_some() {
            self.errors.push(format!("parameter \"{}\" is set more than once", parameter.name));
        }
        let found = &setting.value;
        let minimum = parameter.minimum.unwrap_or(f64::MIN);
        let maximum = parameter.maximum.unwrap_or(f64::MAX);
        match number(found) {
            Some(value) if value.is_finite() && !(minimum..=maximum).contains(&value) => {
                self.errors.push(format!(
                    "parameter \"{}\" is {}; it must be {}",
                    parameter.name,
                    describe_number(value),
                    describe_range(parameter.minimum, parameter.maximum)
                ));
                return default;
            }
            _ => {}
        }
        T::from_value(found).unwrap_or_else(|| {
            self.errors.push(format!(
                "parameter \"{}\" is {}; {} is expected",
                parameter.name,
                describe_value(found),
                T::EXPECTED
            ));
            default
        })
    }

    /// The parameters, if nothing was wrong. `known` are all there are.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn finish<T: Default>(self, known: &[Parameter]) -> Result<T, String> {
        self.finish_with(known, T::default())
    }

    /// `parameters`, if nothing was wrong. `known` are all there are.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn finish_with<T>(mut self, known: &[Parameter], parameters: T) -> Result<T, String> {
        for setting in self.settings {
            if !known.iter().any(|parameter| parameter.name == setting.name) {
                let names: Vec<&str> = known.iter().map(|parameter| parameter.name.as_str()).collect();
                let there_are = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                self.errors
                    .push(format!("parameter \"{}\" does not exist; there are: {there_are}", setting.name));
            }
        }
        if self.errors.is_empty() { Ok(parameters) } else { Err(self.errors.join("; ")) }
    }
}

const fn number(value: &ParameterValue) -> Option<f64> {
    match value {
        ParameterValue::Number(number) => Some(*number),
        ParameterValue::Integer(number) => Some(*number as f64),
        ParameterValue::Flag(_) | ParameterValue::Text(_) => None,
    }
}

fn describe_value(value: &ParameterValue) -> String {
    match value {
        ParameterValue::Number(number) => describe_number(*number),
        ParameterValue::Integer(number) => number.to_string(),
        ParameterValue::Flag(flag) => flag.to_string(),
        ParameterValue::Text(text) => format!("\"{text}\""),
    }
}

fn describe_range(minimum: Option<f64>, maximum: Option<f64>) -> String {
    match (minimum.map(describe_number), maximum.map(describe_number)) {
        (Some(minimum), Some(maximum)) => format!("from {minimum} to {maximum}"),
        (Some(minimum), None) => format!("{minimum} or more"),
        (None, Some(maximum)) => format!("{maximum} or less"),
        (None, None) => "a number".to_owned(),
    }
}

/// A number with at most nine decimals.
///
/// The standard library's exact formatting of `f64` would be a sixth of a small plugin's size.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is cast is not negative; above 2^64 the largest number is as good a message"
)]
fn describe_number(value: f64) -> String {
    const BILLIONTHS: f64 = 1e9;
    if !value.is_finite() {
        return "not a finite number".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    if size >= BILLIONTHS {
        return format!("{sign}{}", size as u64);
    }
    let billionths = libm::round(size * BILLIONTHS) as u64;
    let text = format!("{sign}{}.{:09}", billionths / 1_000_000_000, billionths % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, crate::Parameters)]
    struct Settings {
        /// Bars in the average,
        /// at least two.
        #[parameter(default = 20, min = 2, max = 500)]
        period: u32,
        /// Smallest rise.
        #[parameter(default = 1, min = -0.5)]
        rise: f64,
        /// Whether to trade.
        #[parameter(default = true)]
        enabled: bool,
        /// The venue.
        #[parameter(default = "any")]
        venue: String,
        /// An offset.
        #[parameter(default = -3, max = 0)]
        offset: i8,
    }

    fn setting(name: &str, value: ParameterValue) -> Setting {
        Setting { name: name.to_owned(), value }
    }

    #[test]
    fn describes_each_field() {
        let parameters = Settings::describe();
        let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        assert_eq!(names, ["period", "rise", "enabled", "venue", "offset"]);
        assert_eq!(parameters[0].meaning, "Bars in the average, at least two.");
        assert_eq!(parameters[0].default, ParameterValue::Integer(20));
        assert_eq!((parameters[0].minimum, parameters[0].maximum), (Some(2.0), Some(500.0)));
        assert_eq!(parameters[1].default, ParameterValue::Number(1.0));
        assert_eq!((parameters[1].minimum, parameters[1].maximum), (Some(-0.5), None));
        assert_eq!((parameters[2].minimum, parameters[2].maximum), (None, None));
        assert_eq!(parameters[3].default, ParameterValue::Text("any".to_owned()));
        assert_eq!((parameters[4].minimum, parameters[4].maximum), (Some(-128.0), Some(0.0)), "of the type");
    }

    #[test]
    fn takes_settings_over_and_defaults_for_the_rest() {
        let settings = [
            setting("offset", ParameterValue::Integer(-7)),
            setting("rise", ParameterValue::Integer(2)),
            setting("venue", ParameterValue::Text("x".to_owned())),
        ];
        let expected = Settings { rise: 2.0, venue: "x".to_owned(), offset: -7, ..Settings::default() };
        assert_eq!(Settings::from_settings(&settings), Ok(expected));
    }

    #[test]
    fn settings_come_back_as_they_went() {
        let settings = Settings { period: 7, enabled: false, rise: 0.1, ..Settings::default() };
        assert_eq!(Settings::from_settings(&settings.to_settings()), Ok(settings));
    }

    #[test]
    fn tells_everything_that_is_wrong_at_once() {
        let settings = [
            setting("period", ParameterValue::Integer(1)),
            setting("rise", ParameterValue::Number(f64::NAN)),
            setting("enabled", ParameterValue::Integer(1)),
            setting("venue", ParameterValue::Flag(true)),
            setting("offset", ParameterValue::Number(-1.25)),
            setting("offset", ParameterValue::Integer(-1)),
            setting("perod", ParameterValue::Integer(3)),
        ];
        let error = Settings::from_settings(&settings).unwrap_err();
        let expected = [
            "parameter \"period\" is 1; it must be from 2 to 500",
            "parameter \"rise\" is not a finite number; a number is expected",
            "parameter \"enabled\" is 1; true or false is expected",
            "parameter \"venue\" is true; a text is expected",
            "parameter \"offset\" is set more than once",
            "parameter \"offset\" is -1.25; a whole number is expected",
            "parameter \"perod\" does not exist; there are: period, rise, enabled, venue, offset",
        ];
        assert_eq!(error.split("; parameter").count(), expected.len());
        assert_eq!(error, expected.join("; "));
    }

    #[test]
    fn one_sided_ranges_are_told_as_such() {
        let error = Settings::from_settings(&[setting("rise", ParameterValue::Number(-1.0))]).unwrap_err();
        assert_eq!(error, "parameter \"rise\" is -1; it must be -0.5 or more");
    }

    #[test]
    fn no_parameters_take_no_settings() {
        assert_eq!(<()>::from_settings(&[]), Ok(()));
        let error = <()>::from_settings(&[setting("a", ParameterValue::Flag(true))]).unwrap_err();
        assert_eq!(error, "parameter \"a\" does not exist; there are: none");
    }

    #[test]
    fn numbers_are_told_readably() {
        let cases = [
            (0.0, "0"),
            (-0.25, "-0.25"),
            (500.0, "500"),
            (1e-9, "0.000000001"),
            (12_345_678_901.0, "12345678901"),
        ];
        for (number, text) in cases {
            assert_eq!(describe_number(number), text);
        }
        assert_eq!(describe_number(f64::INFINITY), "not a finite number");
    }
}
