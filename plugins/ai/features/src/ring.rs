use std::fmt;

use bulkhead_sdk::serde::{Deserialize, Serialize};
use bulkhead_sdk::state;

/// No ring is longer.
const LONGEST: u32 = 1_000;

/// The last values, by age.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(crate = "bulkhead_sdk::serde", try_from = "SavedRing", into = "SavedRing")]
pub(crate) struct Ring {
    values: Box<[f64]>,
    /// Where the next value goes; when the ring is full the oldest is here.
    next: usize,
    filled: usize,
}

impl Ring {
    /// A ring that remembers `length` values, from 1 to [`LONGEST`].
    pub(crate) fn new(length: u32) -> Self {
        let length = length.clamp(1, LONGEST) as usize;
        Self { values: vec![0.0; length].into_boxed_slice(), next: 0, filled: 0 }
    }

    /// Enters a value.
    pub(crate) fn push(&mut self, value: f64) {
        self.values[self.next] = value;
        self.next += 1;
        if self.next == self.values.len() {
            self.next = 0;
        }
        self.filled = self.values.len().min(self.filled + 1);
    }

    /// The value that was entered before `age` others; 0 is the newest.
    pub(crate) fn value(&self, age: u32) -> Option<f64> {
        let age = age as usize;
        if age >= self.filled {
            return None;
        }
        let length = self.values.len();
        self.values.get((self.next + length - 1 - age) % length).copied()
    }

    /// The newest value less the one `steps` before.
    pub(crate) fn change(&self, steps: u32) -> Option<f64> {
        Some(self.value(0)? - self.value(steps)?)
    }
}

/// A ring as it is stored: what it holds, in the order of its places.
#[state]
struct SavedRing {
    length: u32,
    next: u32,
    values: Vec<f64>,
}

impl From<Ring> for SavedRing {
    fn from(ring: Ring) -> Self {
        let short = |length: usize| u32::try_from(length).unwrap_or(LONGEST);
        Self {
            length: short(ring.values.len()),
            next: short(ring.next),
            values: ring.values[..ring.filled].to_vec(),
        }
    }
}

impl TryFrom<SavedRing> for Ring {
    type Error = DamagedRing;

    fn try_from(saved: SavedRing) -> Result<Self, DamagedRing> {
        if !(1..=LONGEST).contains(&saved.length) || saved.values.len() > saved.length as usize {
            return Err(DamagedRing);
        }
        let mut ring = Self::new(saved.length);
        ring.filled = saved.values.len();
        ring.next = saved.next as usize;
        let is_full = ring.filled == ring.values.len();
        let fits = if is_full { ring.next < ring.filled } else { ring.next == ring.filled };
        if !fits || !saved.values.iter().all(|value| value.is_finite()) {
            return Err(DamagedRing);
        }
        ring.values[..saved.values.len()].copy_from_slice(&saved.values);
        Ok(ring)
    }
}

/// A saved ring that can't be right.
#[derive(Debug)]
struct DamagedRing;

impl fmt::Display for DamagedRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the saved features are damaged: a window does not fit its length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_values_by_age() {
        let mut ring = Ring::new(3);
        assert_eq!(ring.value(0), None);
        for value in [1.0, 2.0, 4.0, 8.0] {
            ring.push(value);
        }
        assert_eq!([0, 1, 2, 3].map(|age| ring.value(age)), [Some(8.0), Some(4.0), Some(2.0), None]);
        assert_eq!((ring.change(2), ring.change(3)), (Some(6.0), None));
    }

    #[test]
    fn refuses_a_damaged_state() {
        let restore = |length, next, values: &[f64]| {
            Ring::try_from(SavedRing { length, next, values: values.into() }).is_ok()
        };
        assert!(restore(2, 1, &[1.0]));
        assert!(restore(2, 1, &[1.0, 2.0]));
        assert!(!restore(0, 0, &[]));
        assert!(!restore(u32::MAX, 0, &[]));
        assert!(!restore(2, 2, &[1.0, 2.0]));
        assert!(!restore(2, 0, &[1.0]));
        assert!(!restore(1, 0, &[1.0, 2.0]));
        assert!(!restore(1, 0, &[f64::NAN]));
    }
}
