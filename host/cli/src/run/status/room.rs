//! How many of the screen's lines each part gets.

/// Lines above the parts: what the account is at.
pub(super) const HEADER: u16 = 2;

/// The chart's lines without its title.
const CHART: u16 = 4;

/// From this height on there is a chart; below, a small one in the header.
const CHART_FROM: u16 = 32;

/// The most lines that a list of what happened gets.
const LONGEST_LIST: u16 = 16;

/// Lines without their title; `None` is left out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) chart: Option<u16>,
    pub(super) strategies: Option<u16>,
    pub(super) positions: Option<u16>,
    pub(super) trades: Option<u16>,
    pub(super) refusals: Option<u16>,
    pub(super) lines: Option<u16>,
}

impl Room {
    /// Shares the height. The lists of what happened get their room whether they are full or not, so that
    /// nothing moves when something happens.
    ///
    /// Positions come and go: up to a fifth of the height, the room of the most of them is kept.
    pub(super) fn share(height: u16, strategies: usize, positions: usize, most_positions: usize) -> Self {
        let positions = positions.max(most_positions.min(usize::from(height / 5)));
        // A table has a line of headings; an empty one says that it is.
        let table = |rows: usize| u16::try_from(rows).unwrap_or(u16::MAX).max(1).saturating_add(1);
        let (strategies, positions) = (table(strategies), table(positions));
        let mut left = height.saturating_sub(HEADER);
        // A part takes a line for its title, and is not worth it without one of its own.
        let mut claim = |lines: u16, least: u16| {
            let taken = lines.min(left.saturating_sub(1));
            (taken >= least).then(|| {
                left -= taken + 1;
                taken
            })
        };
        // In the order of importance.
        let mut room = Self {
            strategies: claim(strategies.min(5), 2),
            lines: claim(2, 1),
            positions: claim(positions.clamp(3, 4), 2),
            trades: claim(3, 1),
            refusals: claim(2, 1),
            chart: None,
        };
        if height >= CHART_FROM {
            room.chart = claim(CHART, CHART);
        }
        for (part, wanted) in [(&mut room.strategies, strategies), (&mut room.positions, positions)] {
            grow(part, wanted, &mut left);
        }
        loop {
            let before = left;
            for part in [&mut room.trades, &mut room.lines, &mut room.refusals] {
                let wanted = part.map_or(0, |lines| (lines + 1).min(LONGEST_LIST));
                grow(part, wanted, &mut left);
            }
            if left == before {
                return room;
            }
        }
    }
}

fn grow(part: &mut Option<u16>, wanted: u16, left: &mut u16) {
    if let Some(lines) = part {
        let more = wanted.saturating_sub(*lines).min(*left);
        *lines += more;
        *left -= more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(room: &Room) -> u16 {
        let parts = [room.chart, room.strategies, room.positions, room.trades, room.refusals, room.lines];
        HEADER + parts.into_iter().flatten().map(|lines| lines + 1).sum::<u16>()
    }

    #[test]
    fn a_usual_terminal_has_room_for_all_lists() {
        let room = Room::share(24, 4, 1, 3);
        let expected = Room {
            chart: None,
            strategies: Some(5),
            positions: Some(4),
            trades: Some(4),
            refusals: Some(2),
            lines: Some(2),
        };
        assert_eq!(room, expected);
        assert_eq!(used(&room), 24);
    }

    #[test]
    fn every_height_is_used_and_none_is_exceeded() {
        for height in 0..200 {
            for rows in [0, 1, 4, 50, 100_000] {
                let room = Room::share(height, rows, rows / 2, rows);
                assert!(used(&room) <= height.max(HEADER), "{height} {rows} {room:?}");
                if (30..=40).contains(&height) {
                    assert_eq!(used(&room), height, "{rows} {room:?}");
                }
            }
        }
        assert_eq!(Room::share(5, 4, 4, 4).strategies, Some(2));
        assert_eq!(Room::share(4, 4, 4, 4), Room { lines: Some(1), ..Room::default() });
        assert_eq!(Room::share(3, 4, 4, 4), Room::default());
    }
}
