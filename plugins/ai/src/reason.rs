//! Opinions as sentences. At most 200 bytes of one are kept.

use bulkhead_ai_features::FEATURES;

use crate::ensemble::{Contribution, Opinion};

/// As many features as there is room for.
const NAMED: usize = 3;

/// Why it buys: the features that spoke most for it.
pub(crate) fn entry(opinion: &Opinion, contributions: &[Contribution]) -> String {
    let speak_for = contributions.iter().filter(|contribution| contribution.effect > 0.0);
    sentence("pays", opinion, speak_for)
}

/// Why it sells: the features that spoke most against holding.
pub(crate) fn exit(opinion: &Opinion, contributions: &[Contribution]) -> String {
    let speak_against = contributions.iter().filter(|contribution| contribution.effect < 0.0);
    sentence("no longer pays", opinion, speak_against)
}

fn sentence<'c>(
    what: &str,
    opinion: &Opinion,
    contributions: impl Iterator<Item = &'c Contribution>,
) -> String {
    let parts: Vec<String> =
        opinion.parts.iter().map(|(name, _, probability)| format!("{name} {probability:.2}")).collect();
    let named: Vec<String> = contributions
        .take(NAMED)
        .map(|contribution| {
            let name = FEATURES[contribution.feature].name;
            format!("{name} {:.1} ({:+.2})", contribution.value, contribution.effect)
        })
        .collect();
    let mut text = format!("{what}: {:.2} ({})", opinion.probability(), parts.join(", "));
    if !named.is_empty() {
        text.push_str("; ");
        text.push_str(&named.join(", "));
    }
    text
}
