use std::fmt;

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::market::Bar;
use bulkhead_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// What becomes of a row with a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// The feed ends with an error that names the row.
    Refuse,
    /// The row is counted and left out. A gap is counted and left open.
    #[default]
    Skip,
    /// The row is counted and mended as [`Defect`] says; what can't be mended is left out.
    Repair,
}

/// What can be wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Defect {
    /// The bar before opened at the same moment. Nothing to mend: the first one stays.
    Duplicate,
    /// The bar opens before the one before it was complete. Nothing to mend: time does not go back.
    OutOfOrder,
    /// Bars are missing before this one. Mended by flat bars without volume at the last close.
    Gap,
    /// A price is zero or negative, or the volume negative. Mended by volume 0, or by a flat bar.
    NonPositive,
    /// High is below low. Mended by taking both anew from the four prices.
    HighBelowLow,
    /// Open or close lies outside low and high. Mended by widening these.
    OutsideRange,
    /// A field is missing, no number, NaN or infinite. Mended by a flat bar if the time can be read.
    NotANumber,
    /// A price is further from the last close than the settings allow. Mended by a flat bar. A second bar
    /// around the same price is believed: the market moved.
    Outlier,
}

impl fmt::Display for Defect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Duplicate => "duplicate",
            Self::OutOfOrder => "out of order",
            Self::Gap => "gap",
            Self::NonPositive => "non-positive value",
            Self::HighBelowLow => "high below low",
            Self::OutsideRange => "open or close outside low and high",
            Self::NotANumber => "not a number",
            Self::Outlier => "outlier",
        })
    }
}

/// The policy for each defect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QualitySettings {
    /// For [`Defect::Duplicate`].
    pub duplicate: Policy,
    /// For [`Defect::OutOfOrder`].
    pub out_of_order: Policy,
    /// For [`Defect::Gap`].
    pub gap: Policy,
    /// For [`Defect::NonPositive`].
    pub non_positive: Policy,
    /// For [`Defect::HighBelowLow`].
    pub high_below_low: Policy,
    /// For [`Defect::OutsideRange`].
    pub outside_range: Policy,
    /// For [`Defect::NotANumber`].
    pub not_a_number: Policy,
    /// For [`Defect::Outlier`].
    pub outlier: Policy,
    /// Largest credible move from the last close to any price of the next bar, as a fraction of the close;
    /// none looks for no outliers.
    pub max_move: Option<f64>,
    /// Longest gap, in bars, that [`Policy::Repair`] fills; a longer one is left open whole.
    pub max_fill: u32,
}

impl Default for QualitySettings {
    fn default() -> Self {
        Self::all(Policy::Skip)
    }
}

impl QualitySettings {
    /// The same policy for every defect, no search for outliers, gaps filled up to 60 bars.
    #[must_use]
    pub const fn all(policy: Policy) -> Self {
        Self {
            duplicate: policy,
            out_of_order: policy,
            gap: policy,
            non_positive: policy,
            high_below_low: policy,
            outside_range: policy,
            not_a_number: policy,
            outlier: policy,
            max_move: None,
            max_fill: 60,
        }
    }

    /// What is wrong with the settings.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        match self.max_move {
            Some(limit) if !(limit > 0.0 && limit.is_finite()) => vec![Problem {
                key: "max_move".to_owned(),
                found: limit.to_string(),
                allowed: "a number above 0, such as 0.2 for 20 %".to_owned(),
            }],
            _ => Vec::new(),
        }
    }

    const fn policy(&self, defect: Defect) -> Policy {
        match defect {
            Defect::Duplicate => self.duplicate,
            Defect::OutOfOrder => self.out_of_order,
            Defect::Gap => self.gap,
            Defect::NonPositive => self.non_positive,
            Defect::HighBelowLow => self.high_below_low,
            Defect::OutsideRange => self.outside_range,
            Defect::NotANumber => self.not_a_number,
            Defect::Outlier => self.outlier,
        }
    }
}

/// What the gate has seen of one instrument. `rows = delivered + skipped` unless a row was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QualityCounters {
    /// Rows that came in.
    pub rows: u64,
    /// Rows that went out as bars, mended ones included.
    pub delivered: u64,
    /// Rows that were mended.
    pub repaired: u64,
    /// Rows that were left out.
    pub skipped: u64,
    /// Flat bars that were put into gaps.
    pub filled: u64,
    /// Bars that were missing in gaps, filled or not.
    pub missing: u64,
    /// Rows with [`Defect::Duplicate`].
    pub duplicate: u64,
    /// Rows with [`Defect::OutOfOrder`].
    pub out_of_order: u64,
    /// Gaps, of whatever length.
    pub gap: u64,
    /// Rows with [`Defect::NonPositive`].
    pub non_positive: u64,
    /// Rows with [`Defect::HighBelowLow`].
    pub high_below_low: u64,
    /// Rows with [`Defect::OutsideRange`].
    pub outside_range: u64,
    /// Rows with [`Defect::NotANumber`].
    pub not_a_number: u64,
    /// Rows with [`Defect::Outlier`].
    pub outlier: u64,
}

impl QualityCounters {
    /// Whether every row was delivered as it came, without a gap.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.rows == self.delivered && self.repaired == 0 && self.gap == 0
    }

    /// Adds what another feed of the same instrument has seen.
    pub const fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.delivered += other.delivered;
        self.repaired += other.repaired;
        self.skipped += other.skipped;
        self.filled += other.filled;
        self.missing += other.missing;
        self.duplicate += other.duplicate;
        self.out_of_order += other.out_of_order;
        self.gap += other.gap;
        self.non_positive += other.non_positive;
        self.high_below_low += other.high_below_low;
        self.outside_range += other.outside_range;
        self.not_a_number += other.not_a_number;
        self.outlier += other.outlier;
    }

    const fn count(&mut self, defect: Defect) {
        *match defect {
            Defect::Duplicate => &mut self.duplicate,
            Defect::OutOfOrder => &mut self.out_of_order,
            Defect::Gap => &mut self.gap,
            Defect::NonPositive => &mut self.non_positive,
            Defect::HighBelowLow => &mut self.high_below_low,
            Defect::OutsideRange => &mut self.outside_range,
            Defect::NotANumber => &mut self.not_a_number,
            Defect::Outlier => &mut self.outlier,
        } += 1;
    }
}

/// Flat bars that close a gap: `count` copies of `bar`, each one interval later than the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    /// The first of them.
    pub bar: Bar,
    /// How many.
    pub count: u32,
}

/// What the gate lets through.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Verdict {
    /// To be delivered first.
    pub fill: Option<Fill>,
    /// The bar itself, as it came or mended.
    pub bar: Option<Bar>,
}

/// Why the gate wants the feed to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// What is wrong.
    pub defect: Defect,
    /// The numbers that show it.
    pub detail: String,
}

/// The gate for one instrument's bars.
#[derive(Debug, Clone)]
pub struct QualityGate {
    settings: QualitySettings,
    instrument: InstrumentId,
    interval: Span,
    counters: QualityCounters,
    /// The end of the latest row with a readable time, good or not: gaps are holes in the source.
    seen_until: Option<Timestamp>,
    /// Opening time and close of the last bar that went out.
    last: Option<(Timestamp, f64)>,
    /// Close of the last outlier, until a bar is delivered.
    doubted: Option<f64>,
}

impl QualityGate {
    /// A gate for bars of one instrument and interval; the interval must be positive.
    #[must_use]
    pub fn new(settings: &QualitySettings, instrument: InstrumentId, interval: Span) -> Self {
        Self {
            settings: settings.clone(),
            instrument,
            interval,
            counters: QualityCounters::default(),
            seen_until: None,
            last: None,
            doubted: None,
        }
    }

    /// What the gate has seen so far.
    #[must_use]
    pub const fn counters(&self) -> &QualityCounters {
        &self.counters
    }

    /// Whether the bar is the sound successor of the one before, which nearly all are. Then it counts as
    /// delivered; otherwise nothing changes and [`Self::judge`] must be asked.
    #[inline]
    pub fn admit(&mut self, bar: &Bar) -> bool {
        if self.seen_until != Some(bar.open_time) || self.settings.max_move.is_some() || !bar.is_sound() {
            return false;
        }
        self.counters.rows += 1;
        self.deliver(bar);
        true
    }

    /// Judges a bar.
    ///
    /// # Errors
    /// When the policy for a defect that the bar has is to refuse.
    pub fn judge(&mut self, bar: Bar) -> Result<Verdict, Refusal> {
        self.counters.rows += 1;
        let Some(fill) = self.place(bar.open_time)? else { return Ok(self.skip(None)) };
        let prices = [bar.open, bar.high, bar.low, bar.close];
        if !prices.iter().chain([&bar.volume]).all(|value| value.is_finite()) {
            return self.replace(Defect::NotANumber, fill, bar.open_time, || describe(&bar));
        }
        if prices.iter().any(|price| *price <= 0.0) {
            return self.replace(Defect::NonPositive, fill, bar.open_time, || describe(&bar));
        }
        let mut mended = bar;
        if bar.volume < 0.0 {
            if !self.may_repair(Defect::NonPositive, || describe(&bar))? {
                return Ok(self.skip(fill));
            }
            mended.volume = 0.0;
        }
        let range_defect = if bar.high < bar.low {
            Some(Defect::HighBelowLow)
        } else if mended.is_sound() {
            None
        } else {
            Some(Defect::OutsideRange)
        };
        if let Some(defect) = range_defect {
            if !self.may_repair(defect, || describe(&bar))? {
                return Ok(self.skip(fill));
            }
            mended.high = prices.iter().copied().fold(f64::MIN, f64::max);
            mended.low = prices.iter().copied().fold(f64::MAX, f64::min);
        }
        if let Some((limit, close)) = self.settings.max_move.zip(self.last.map(|(_, close)| close)) {
            let far = |from: f64| prices.iter().any(|price| (price / from - 1.0).abs() > limit);
            if far(close) && self.doubted.is_none_or(far) {
                self.doubted = Some(bar.close);
                return self.replace(Defect::Outlier, fill, bar.open_time, || {
                    format!("{}, the last close was {close}", describe(&bar))
                });
            }
        }
        self.doubted = None;
        self.counters.repaired += u64::from(mended != bar);
        self.deliver(&mended);
        Ok(Verdict { fill, bar: Some(mended) })
    }

    /// Judges a row of which not every field is a number, with its time if that could be read.
    ///
    /// # Errors
    /// When the policy for that, or for the row's place in time, is to refuse.
    pub fn judge_unreadable(&mut self, time: Option<Timestamp>, detail: &str) -> Result<Verdict, Refusal> {
        self.counters.rows += 1;
        let Some(time) = time else {
            self.may_repair(Defect::NotANumber, || detail.to_owned())?;
            return Ok(self.skip(None));
        };
        let Some(fill) = self.place(time)? else { return Ok(self.skip(None)) };
        self.replace(Defect::NotANumber, fill, time, || detail.to_owned())
    }

    /// Checks the row's place in time. The outer `None` means that it comes too late to be used.
    fn place(&mut self, time: Timestamp) -> Result<Option<Option<Fill>>, Refusal> {
        if let Some((last, _)) = self.last.filter(|(last, _)| time < last.plus(self.interval)) {
            let defect = if time == last { Defect::Duplicate } else { Defect::OutOfOrder };
            self.may_repair(defect, || {
                format!("the bar before opened at {}", crate::text_time::moment(last))
            })?;
            return Ok(None);
        }
        let before = self.seen_until;
        self.seen_until = before.max(Some(time.plus(self.interval)));
        let Some(expected) = before.filter(|expected| *expected < time) else { return Ok(Some(None)) };
        let hole = time.since(expected);
        // A hole shorter than a bar shifts the grid, but no bar is missing.
        let missing = u64::try_from(hole.nanos() / self.interval.nanos().max(1)).unwrap_or(0);
        if missing == 0 {
            return Ok(Some(None));
        }
        self.counters.missing += missing;
        let fill = self.may_repair(Defect::Gap, || {
            format!("{missing} bars are missing from {}", crate::text_time::moment(expected))
        })?;
        let count = u32::try_from(missing).ok().filter(|count| fill && *count <= self.settings.max_fill);
        let Some((count, (_, close))) = count.zip(self.last) else { return Ok(Some(None)) };
        self.counters.filled += missing;
        Ok(Some(Some(Fill { bar: self.flat(expected, close), count })))
    }

    /// Counts the defect; true when the policy is to repair.
    fn may_repair(&mut self, defect: Defect, detail: impl FnOnce() -> String) -> Result<bool, Refusal> {
        self.counters.count(defect);
        match self.settings.policy(defect) {
            Policy::Refuse => Err(Refusal { defect, detail: detail() }),
            Policy::Skip => Ok(false),
            Policy::Repair => Ok(true),
        }
    }

    /// Puts a flat bar in the place of a useless one, if the policy says so and there is a close to go by.
    fn replace(
        &mut self,
        defect: Defect,
        fill: Option<Fill>,
        time: Timestamp,
        detail: impl FnOnce() -> String,
    ) -> Result<Verdict, Refusal> {
        let repair = self.may_repair(defect, detail)?;
        let Some((_, close)) = self.last.filter(|_| repair) else { return Ok(self.skip(fill)) };
        let bar = self.flat(time, close);
        self.counters.repaired += 1;
        self.deliver(&bar);
        Ok(Verdict { fill, bar: Some(bar) })
    }

    const fn flat(&self, open_time: Timestamp, price: f64) -> Bar {
        Bar {
            instrument: self.instrument,
            interval: self.interval,
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 0.0,
        }
    }

    const fn skip(&mut self, fill: Option<Fill>) -> Verdict {
        self.counters.skipped += 1;
        Verdict { fill, bar: None }
    }

    fn deliver(&mut self, bar: &Bar) {
        self.counters.delivered += 1;
        self.seen_until = self.seen_until.max(Some(bar.close_time()));
        self.last = Some((bar.open_time, bar.close));
    }
}

fn describe(bar: &Bar) -> String {
    let Bar { open, high, low, close, volume, .. } = bar;
    format!("open {open}, high {high}, low {low}, close {close}, volume {volume}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(minute: i64, prices: [f64; 4], volume: f64) -> Bar {
        let [open, high, low, close] = prices;
        let open_time = Timestamp::from_seconds(minute * 60);
        let instrument = InstrumentId(3);
        Bar { instrument, interval: Span::MINUTE, open_time, open, high, low, close, volume }
    }

    fn flat(minute: i64, price: f64) -> Bar {
        bar(minute, [price; 4], 0.0)
    }

    fn good(minute: i64) -> Bar {
        bar(minute, [10.0, 12.0, 9.0, 11.0], 5.0)
    }

    fn gate(settings: &QualitySettings) -> QualityGate {
        QualityGate::new(settings, InstrumentId(3), Span::MINUTE)
    }

    /// What goes out for these rows, gaps filled.
    fn pass(gate: &mut QualityGate, bars: &[Bar]) -> Result<Vec<Bar>, Refusal> {
        let mut out = Vec::new();
        for bar in bars {
            if gate.admit(bar) {
                out.push(*bar);
                continue;
            }
            let verdict = gate.judge(*bar)?;
            if let Some(Fill { mut bar, count }) = verdict.fill {
                for _ in 0..count {
                    out.push(bar);
                    bar.open_time = bar.close_time();
                }
            }
            out.extend(verdict.bar);
        }
        Ok(out)
    }

    /// Each defect as the third row of four, and the third bar under repair where it can be mended.
    fn defects() -> Vec<(Defect, Bar, Option<Bar>)> {
        vec![
            (Defect::Duplicate, good(1), None),
            (Defect::OutOfOrder, good(0), None),
            (Defect::NonPositive, bar(2, [10.0, 12.0, 0.0, 11.0], 5.0), Some(flat(2, 11.0))),
            (
                Defect::NonPositive,
                bar(2, [10.0, 12.0, 9.0, 11.0], -5.0),
                Some(bar(2, [10.0, 12.0, 9.0, 11.0], 0.0)),
            ),
            (
                Defect::HighBelowLow,
                bar(2, [10.0, 9.0, 12.0, 11.0], 5.0),
                Some(bar(2, [10.0, 12.0, 9.0, 11.0], 5.0)),
            ),
            (
                Defect::OutsideRange,
                bar(2, [10.0, 10.5, 9.0, 11.0], 5.0),
                Some(bar(2, [10.0, 11.0, 9.0, 11.0], 5.0)),
            ),
            (Defect::NotANumber, bar(2, [10.0, f64::NAN, 9.0, 11.0], 5.0), Some(flat(2, 11.0))),
            (Defect::NotANumber, bar(2, [10.0, 12.0, 9.0, 11.0], f64::INFINITY), Some(flat(2, 11.0))),
            (Defect::Outlier, bar(2, [110.0, 120.0, 90.0, 110.0], 5.0), Some(flat(2, 11.0))),
        ]
    }

    fn count(counters: &QualityCounters, defect: Defect) -> u64 {
        let mut one = *counters;
        one.count(defect);
        // The defect's own counter is the one that counting changes.
        let fields = |c: &QualityCounters| {
            [
                c.duplicate,
                c.out_of_order,
                c.gap,
                c.non_positive,
                c.high_below_low,
                c.outside_range,
                c.not_a_number,
                c.outlier,
            ]
        };
        fields(counters).into_iter().zip(fields(&one)).find(|(a, b)| a != b).map_or(0, |(a, _)| a)
    }

    #[test]
    fn skip_leaves_out_and_counts() {
        let settings = QualitySettings { max_move: Some(0.5), ..QualitySettings::default() };
        for (defect, row, _) in defects() {
            let mut gate = gate(&settings);
            let out = pass(&mut gate, &[good(0), good(1), row, good(3)]).unwrap();
            let opened: Vec<i64> = out.iter().map(|bar| bar.open_time.seconds() / 60).collect();
            assert_eq!(opened, [0, 1, 3], "{defect}");
            assert_eq!(count(gate.counters(), defect), 1, "{defect}");
            assert_eq!((gate.counters().rows, gate.counters().skipped), (4, 1), "{defect}");
        }
    }

    #[test]
    fn refuse_stops_at_the_first() {
        let settings = QualitySettings { max_move: Some(0.5), ..QualitySettings::all(Policy::Refuse) };
        for (defect, row, _) in defects() {
            let refusal = pass(&mut gate(&settings), &[good(0), good(1), row, good(3)]).unwrap_err();
            assert_eq!(refusal.defect, defect);
            assert!(!refusal.detail.is_empty());
        }
    }

    #[test]
    fn repair_mends_what_can_be_mended() {
        let settings = QualitySettings { max_move: Some(0.5), ..QualitySettings::all(Policy::Repair) };
        for (defect, row, mended) in defects() {
            let Some(mended) = mended else { continue };
            let mut gate = gate(&settings);
            let out = pass(&mut gate, &[good(0), good(1), row, good(3)]).unwrap();
            assert_eq!(out, [good(0), good(1), mended, good(3)], "{defect}");
            assert_eq!((gate.counters().repaired, gate.counters().delivered), (1, 4), "{defect}");
            assert!(!gate.counters().is_clean());
        }
    }

    #[test]
    fn gaps_are_counted_filled_up_to_the_bound_or_refused() {
        let rows = [good(0), good(3), good(64), good(65)];
        let mut skip = gate(&QualitySettings::default());
        assert_eq!(pass(&mut skip, &rows).unwrap(), rows);
        assert_eq!((skip.counters().gap, skip.counters().missing, skip.counters().filled), (2, 62, 0));

        let settings = QualitySettings { max_fill: 59, ..QualitySettings::all(Policy::Repair) };
        let mut repair = gate(&settings);
        let filled = [good(0), flat(1, 11.0), flat(2, 11.0), good(3), good(64), good(65)];
        assert_eq!(pass(&mut repair, &rows).unwrap(), filled);
        assert_eq!((repair.counters().gap, repair.counters().missing, repair.counters().filled), (2, 62, 2));

        let refusal = pass(&mut gate(&QualitySettings::all(Policy::Refuse)), &rows).unwrap_err();
        assert_eq!(refusal.detail, "2 bars are missing from 1970-01-01T00:01:00Z");
    }

    #[test]
    fn a_skipped_row_leaves_no_gap_and_may_be_corrected_by_the_next() {
        let bad = bar(1, [f64::NAN; 4], 0.0);
        let mut gate = gate(&QualitySettings::default());
        assert_eq!(pass(&mut gate, &[good(0), bad, good(1), good(2)]).unwrap(), [good(0), good(1), good(2)]);
        assert_eq!((gate.counters().gap, gate.counters().duplicate, gate.counters().not_a_number), (0, 0, 1));
    }

    #[test]
    fn a_lasting_move_is_believed_at_the_second_bar() {
        let settings = QualitySettings { max_move: Some(0.5), ..QualitySettings::default() };
        let high = |minute| bar(minute, [100.0, 120.0, 90.0, 110.0], 1.0);
        let mut gate = gate(&settings);
        assert_eq!(
            pass(&mut gate, &[good(0), high(1), high(2), high(3)]).unwrap(),
            [good(0), high(2), high(3)]
        );
        assert_eq!(gate.counters().outlier, 1);
    }

    #[test]
    fn an_unreadable_row_is_judged_by_its_time() {
        let mut gate = gate(&QualitySettings::all(Policy::Repair));
        assert_eq!(gate.judge_unreadable(None, "?").unwrap(), Verdict::default());
        gate.judge(good(0)).unwrap();
        let verdict = gate.judge_unreadable(Some(Timestamp::from_seconds(60)), "?").unwrap();
        assert_eq!(verdict.bar, Some(flat(1, 11.0)));
        assert_eq!((gate.counters().not_a_number, gate.counters().skipped), (2, 1));
    }

    #[test]
    fn counters_are_serialised_by_name_and_add_up() {
        let mut counters = QualityCounters { rows: 2, delivered: 2, ..QualityCounters::default() };
        assert!(counters.is_clean());
        counters.add(&QualityCounters { rows: 3, gap: 1, ..QualityCounters::default() });
        let json = serde_json::to_value(counters).unwrap();
        assert_eq!((json["rows"].as_u64(), json["gap"].as_u64()), (Some(5), Some(1)));
    }

    #[test]
    fn settings_reject_a_useless_bound() {
        for limit in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let settings = QualitySettings { max_move: Some(limit), ..QualitySettings::default() };
            assert_eq!(settings.validate().len(), 1, "{limit}");
        }
    }
}
