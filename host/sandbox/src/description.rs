//! Whether what a strategy says of itself makes sense. Operators' configurations, the engine's aggregation and
//! every report build on it, so a nonsensical description is refused before anything runs.

use bulkhead_core::strategy::{Description, Parameter, ParameterKind, ParameterValue};
use bulkhead_core::time::Span;

use crate::limits::{Limits, count};
use crate::text::clean;

/// Names are keys in configurations and columns in reports.
const MAX_NAME_BYTES: usize = 64;
const MAX_SPAN: Span = Span::from_seconds(31 * 86_400);
const MAX_WARM_UP_BARS: u32 = 100_000;

/// Checks a description.
///
/// # Errors
///
/// Everything that is wrong with it.
pub(crate) fn validate(description: &Description, limits: &Limits) -> Result<(), Vec<String>> {
    let mut problems = Problems { limits, found: Vec::new() };
    problems.name("name", &description.name, '-');
    if !is_semantic_version(&description.version) {
        let version = clean(&description.version, MAX_NAME_BYTES);
        problems.add(format!("version \"{version}\" is not of the form 1.2.3"));
    }
    if description.warm_up_bars > MAX_WARM_UP_BARS {
        problems.add(format!("warm-up-bars is {}; at most {MAX_WARM_UP_BARS}", description.warm_up_bars));
    }
    let needs = &description.needs;
    problems.items("bar-intervals", needs.bar_intervals.len());
    for interval in &needs.bar_intervals {
        if *interval > MAX_SPAN {
            let seconds = interval.seconds();
            problems.add(format!(
                "bar interval of {seconds} s; it must be at most 31 days, or 0 for the feed's bars"
            ));
        }
    }
    problems.unique("bar interval", needs.bar_intervals.iter().map(|interval| format!("{interval}")));
    if needs.timer.is_some_and(|timer| timer > MAX_SPAN) {
        problems.add("timer-seconds is above 31 days".to_owned());
    }
    problems.items("signals", needs.signals.len());
    for signal in &needs.signals {
        problems.name("signal", signal, '-');
    }
    problems.unique("signal", needs.signals.iter().cloned());
    let wants_something = !needs.bar_intervals.is_empty()
        || needs.quotes
        || needs.trades
        || !needs.signals.is_empty()
        || needs.timer.is_some();
    if !wants_something {
        problems.add(
            "it wants no bars, quotes, trades, signals or timer, so it would never be called".to_owned(),
        );
    }
    problems.items("parameters", description.parameters.len());
    for parameter in description.parameters.iter().take(count(limits.description_items)) {
        problems.parameter(parameter);
    }
    problems.unique("parameter", description.parameters.iter().map(|parameter| parameter.name.clone()));
    if problems.found.is_empty() { Ok(()) } else { Err(problems.found) }
}

struct Problems<'l> {
    limits: &'l Limits,
    found: Vec<String>,
}

impl Problems<'_> {
    /// Enough to show what is wrong; a hostile description could have millions.
    const MOST: usize = 20;

    fn add(&mut self, problem: String) {
        if self.found.len() < Self::MOST {
            self.found.push(problem);
        }
    }

    fn items(&mut self, what: &str, found: usize) {
        let limit = count(self.limits.description_items);
        if found > limit {
            self.add(format!("{found} {what}; at most {limit} (limit description_items)"));
        }
    }

    fn name(&mut self, what: &str, name: &str, separator: char) {
        let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.len() <= MAX_NAME_BYTES
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == separator);
        if !is_name {
            let name = clean(name, MAX_NAME_BYTES);
            self.add(format!(
                "{what} \"{name}\" must be a lower-case letter followed by at most 63 lower-case letters, digits \
                 and \"{separator}\""
            ));
        }
    }

    fn unique(&mut self, what: &str, names: impl Iterator<Item = String>) {
        let mut names: Vec<String> = names.take(count(self.limits.description_items)).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            if let [one, other] = pair
                && one == other
            {
                self.add(format!("{what} \"{}\" is there twice", clean(one, MAX_NAME_BYTES)));
            }
        }
    }

    fn text(&mut self, what: &str, text: &str) {
        let limit = count(self.limits.text_bytes);
        if text.len() > limit {
            self.add(format!("{what} has {} bytes; at most {limit} (limit text_bytes)", text.len()));
        } else if clean(text, limit) != text {
            self.add(format!("{what} holds control characters"));
        }
    }

    fn parameter(&mut self, parameter: &Parameter) {
        self.name("parameter", &parameter.name, '_');
        let name = clean(&parameter.name, MAX_NAME_BYTES);
        self.text(&format!("the meaning of parameter \"{name}\""), &parameter.meaning);
        if parameter.meaning.is_empty() {
            self.add(format!("parameter \"{name}\" says nothing of its meaning"));
        }
        if let ParameterValue::Text(text) = &parameter.default {
            self.text(&format!("the default of parameter \"{name}\""), text);
        }
        let bounds = [parameter.minimum, parameter.maximum];
        let is_number = matches!(parameter.default.kind(), ParameterKind::Integer | ParameterKind::Number);
        if !is_number && bounds.iter().any(Option::is_some) {
            self.add(format!("parameter \"{name}\" is {} and has a range", parameter.default.kind()));
        } else if bounds.iter().flatten().any(|bound| !bound.is_finite()) {
            self.add(format!("a bound of parameter \"{name}\" is not a finite number"));
        } else if let [Some(minimum), Some(maximum)] = bounds
            && minimum > maximum
        {
            self.add(format!("parameter \"{name}\" has a minimum {minimum} above its maximum {maximum}"));
        } else if let Err(error) = parameter.check(&parameter.default) {
            self.add(format!("the default is not allowed: {}", clean(&error.to_string(), 400)));
        }
    }
}

fn is_semantic_version(version: &str) -> bool {
    let numbers = version.split(['-', '+']).next().unwrap_or_default();
    version.len() <= MAX_NAME_BYTES
        && version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
        && numbers.split('.').count() == 3
        && numbers.split('.').all(|part| part.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use bulkhead_core::strategy::Needs;

    use super::*;

    fn sound() -> Description {
        Description {
            name: "sma-crossover".to_owned(),
            version: "1.2.0".to_owned(),
            state_schema: 1,
            parameters: vec![Parameter {
                name: "fast".to_owned(),
                meaning: "Bars of the fast average.".to_owned(),
                default: ParameterValue::Integer(10),
                minimum: Some(1.0),
                maximum: Some(500.0),
            }],
            needs: Needs { bar_intervals: vec![Span::MINUTE], ..Needs::default() },
            warm_up_bars: 30,
        }
    }

    fn problems(change: impl FnOnce(&mut Description)) -> Vec<String> {
        let mut description = sound();
        change(&mut description);
        validate(&description, &Limits::default()).err().unwrap_or_default()
    }

    #[test]
    fn a_sound_description_passes() {
        assert_eq!(problems(|_| {}), Vec::<String>::new());
        assert_eq!(problems(|it| it.version = "1.0.0-beta.2+build".to_owned()), Vec::<String>::new());
    }

    #[test]
    fn each_kind_of_nonsense_is_named() {
        let check = |expected: &str, change: &dyn Fn(&mut Description)| {
            let found = problems(change);
            assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:?}");
        };
        check("name \"SMA\"", &|it| it.name = "SMA".to_owned());
        check("name \"\"", &|it| it.name = String::new());
        check("version \"one\"", &|it| it.version = "one".to_owned());
        check("bar interval of 2764800 s", &|it| it.needs.bar_intervals.push(Span::DAY.times(32)));
        check("bar interval \"1m\" is there twice", &|it| it.needs.bar_intervals.push(Span::MINUTE));
        check("would never be called", &|it| it.needs.bar_intervals.clear());
        check("warm-up-bars", &|it| it.warm_up_bars = u32::MAX);
        check("signal \"Sentiment!\"", &|it| it.needs.signals.push("Sentiment!".to_owned()));
        check("parameter \"fast\" is there twice", &|it| it.parameters.push(it.parameters[0].clone()));
        check("not a finite number", &|it| it.parameters[0].minimum = Some(f64::NAN));
        check("the default is not allowed", &|it| it.parameters[0].minimum = Some(11.0));
        check("above its maximum", &|it| it.parameters[0].maximum = Some(0.0));
        check("has a range", &|it| it.parameters[0].default = ParameterValue::Flag(true));
        check("the default is not allowed", &|it| {
            it.parameters[0].default = ParameterValue::Number(f64::NAN);
        });
        check("says nothing of its meaning", &|it| it.parameters[0].meaning.clear());
        check("control characters", &|it| it.parameters[0].meaning = "\u{1b}[2J".to_owned());
        check("at most 64 (limit description_items)", &|it| {
            it.parameters = (0..100_000).map(|_| it.parameters[0].clone()).collect();
        });
    }

    #[test]
    fn a_hostile_description_gives_a_short_report() {
        let found = problems(|it| it.needs.bar_intervals = vec![Span::ZERO; 10_000]);
        assert!(found.len() <= 20, "{}", found.len());
    }
}
