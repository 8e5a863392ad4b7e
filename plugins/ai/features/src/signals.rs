use bulkhead_sdk::indicators::{Sma, VolumeRatio};
use bulkhead_sdk::{Timestamp, state};

use crate::row::{Row, log_ratio};
use crate::scale::Step;
use crate::table::Name;

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;

/// Larger counts are taken as none.
const MOST_MENTIONS: f64 = 1e12;

/// A signal that features are computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalKind {
    /// What people feel, from −1 to +1.
    Sentiment,
    /// How often it was spoken of, a count.
    Mentions,
    /// How a community rates it, from 0 to 1.
    CommunityScore,
    /// How much hangs on few holders, from 0 to 1.
    HolderRisk,
    /// How easily the pool's liquidity can be taken away, from 0 to 1.
    LiquidityRisk,
}

impl SignalKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Sentiment, Self::Mentions, Self::CommunityScore, Self::HolderRisk, Self::LiquidityRisk];

    /// The name of the signal, as an operator's feed gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sentiment => "sentiment",
            Self::Mentions => "mentions",
            Self::CommunityScore => "community-score",
            Self::HolderRisk => "holder-risk",
            Self::LiquidityRisk => "liquidity-risk",
        }
    }

    /// The signal of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A number and when it was heard, in seconds since 1970.
#[state]
#[derive(Debug, Clone, Copy)]
struct Heard {
    seconds: u32,
    value: f64,
}

/// What was said and found out about an instrument.
#[state]
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    sentiment: Option<Heard>,
    /// The last sentiment less the mean of those before.
    sentiment_change: Option<f64>,
    usual_sentiment: Sma,
    mentions: Option<Heard>,
    usual_mentions: VolumeRatio,
    community_score: Option<Heard>,
    holder_risk: Option<Heard>,
    liquidity_risk: Option<Heard>,
}

impl Signals {
    pub(crate) fn new() -> Self {
        Self {
            sentiment: None,
            sentiment_change: None,
            usual_sentiment: Sma::new(10),
            mentions: None,
            usual_mentions: VolumeRatio::new(10),
            community_score: None,
            holder_risk: None,
            liquidity_risk: None,
        }
    }

    /// Takes a signal. A value out of its range counts as its nearest end; what is no number is skipped.
    pub(crate) fn hear(&mut self, kind: SignalKind, time: Timestamp, value: f64) {
        if value.is_nan() {
            return;
        }
        let within =
            |low: f64, high: f64| Some(Heard { seconds: time.seconds, value: value.clamp(low, high) });
        match kind {
            SignalKind::Sentiment => {
                let sentiment = value.clamp(-1.0, 1.0);
                self.sentiment = within(-1.0, 1.0);
                self.sentiment_change = self.usual_sentiment.value().map(|usual| sentiment - usual);
                self.usual_sentiment.update(sentiment);
            }
            SignalKind::Mentions => {
                self.mentions = within(0.0, MOST_MENTIONS);
                self.usual_mentions.update(value.clamp(0.0, MOST_MENTIONS));
            }
            SignalKind::CommunityScore => self.community_score = within(0.0, 1.0),
            SignalKind::HolderRisk => self.holder_risk = within(0.0, 1.0),
            SignalKind::LiquidityRisk => self.liquidity_risk = within(0.0, 1.0),
        }
    }

    pub(crate) fn update(&self, step: &Step, row: &mut Row) {
        let recent = |heard: Option<Heard>, seconds: u32| {
            heard.filter(|heard| step.close_time.saturating_sub(heard.seconds) <= seconds)
        };
        if let Some(sentiment) = recent(self.sentiment, HOUR) {
            row.set(Name::SentimentKnown, 1.0);
            row.set(Name::Sentiment, sentiment.value);
            row.set_known(Name::SentimentChange, self.sentiment_change);
        }
        if recent(self.mentions, HOUR).is_some() {
            row.set(Name::MentionsKnown, 1.0);
            let surge = self.usual_mentions.value().and_then(|ratio| log_ratio(ratio, 1.0));
            row.set_known(Name::MentionsSurge, surge);
        }
        if let Some(score) = recent(self.community_score, DAY) {
            row.set(Name::CommunityKnown, 1.0);
            row.set(Name::CommunityScore, 2.0 * score.value - 1.0);
        }
        if let Some(risk) = recent(self.holder_risk, DAY) {
            row.set(Name::HolderRiskKnown, 1.0);
            row.set(Name::HolderRisk, risk.value);
        }
        if let Some(risk) = recent(self.liquidity_risk, DAY) {
            row.set(Name::LiquidityRiskKnown, 1.0);
            row.set(Name::LiquidityRisk, risk.value);
        }
    }
}
