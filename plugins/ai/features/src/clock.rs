use std::f64::consts::TAU;

use crate::row::Row;
use crate::table::Name;

const HOUR: u32 = 3_600;
const DAY: u32 = 24 * HOUR;
const WEEK: u32 = 7 * DAY;

/// 1970 began on a Thursday.
const FIRST_MONDAY: u32 = 4 * DAY;

/// The opening hours of the exchanges in New York in summer, UTC.
const US_SESSION: std::ops::Range<u32> = 13 * HOUR + HOUR / 2..20 * HOUR;

/// The time of day and week, of a moment in seconds since 1970.
pub(crate) fn set_clock(time: u32, row: &mut Row) {
    let in_week = (u64::from(time) + u64::from(WEEK - FIRST_MONDAY)) % u64::from(WEEK);
    let in_week = u32::try_from(in_week).unwrap_or(0);
    let in_day = time % DAY;
    let circles = [
        (Name::DaySine, Name::DayCosine, in_day, DAY),
        (Name::WeekSine, Name::WeekCosine, in_week, WEEK),
        (Name::HourSine, Name::HourCosine, time % HOUR, HOUR),
    ];
    for (sine, cosine, part, whole) in circles {
        let angle = TAU * (f64::from(part) / f64::from(whole));
        row.set(sine, libm::sin(angle));
        row.set(cosine, libm::cos(angle));
    }
    let is_weekend = in_week >= 5 * DAY;
    row.set_flag(Name::Weekend, is_weekend);
    row.set_flag(Name::UsSession, !is_weekend && US_SESSION.contains(&in_day));
}
