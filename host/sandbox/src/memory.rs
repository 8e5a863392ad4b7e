//! Holds an instance to its memory: wasmtime's own limiter counts each memory and table apart, this one sums
//! them.

use wasmtime::{Error, ResourceLimiter, bail};

use crate::limits::{Limits, count};

/// Bytes that an element of a table takes in the host.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Growth that was refused; ends the call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct OverLimit(pub(crate) String);

/// Counts what an instance has, and refuses more than it may have.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    limit: usize,
    table_elements: usize,
    instances: usize,
    tables: usize,
    memories: usize,
    used: usize,
}

impl MemoryLimiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limit: count(limits.memory_bytes),
            table_elements: count(limits.table_elements),
            // A component's instance has besides its modules' instances those that tie them together.
            instances: count(limits.parts).saturating_mul(2),
            tables: count(limits.tables),
            memories: count(limits.memories),
            used: 0,
        }
    }

    /// Bytes of all memories and tables.
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    fn take(&mut self, bytes: usize) -> Result<bool, Error> {
        match self.used.checked_add(bytes).filter(|total| *total <= self.limit) {
            Some(total) => {
                self.used = total;
                Ok(true)
            }
            None => bail!(OverLimit(format!("memory limit of {} bytes", self.limit))),
        }
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error> {
        // Beyond the maximum that the module itself declares, growth fails as the standard says.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.take(desired.saturating_sub(current))
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<(), Error> {
        // Whether the operating system has memory left must not decide what a strategy does: the call ends.
        Err(error)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, Error> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        if desired > self.table_elements {
            bail!(OverLimit(format!("limit of {} elements in a table", self.table_elements)));
        }
        self.take(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES))
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<(), Error> {
        Err(error)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_share_one_limit() {
        let limits = Limits { memory_bytes: 100_000, table_elements: 10_000, ..Limits::default() };
        let mut limiter = MemoryLimiter::new(&limits);
        assert!(limiter.memory_growing(0, 65_536, None).unwrap());
        assert!(limiter.table_growing(0, 4_000, None).unwrap());
        assert_eq!(limiter.used(), 97_536);
        let refused = limiter.table_growing(4_000, 5_000, None).unwrap_err();
        assert_eq!(refused.downcast_ref(), Some(&OverLimit("memory limit of 100000 bytes".to_owned())));
        assert!(limiter.memory_growing(65_536, 131_072, None).is_err());
        assert_eq!(limiter.used(), 97_536);
    }

    #[test]
    fn a_modules_own_maximum_is_no_fault() {
        let mut limiter = MemoryLimiter::new(&Limits::default());
        assert!(!limiter.memory_growing(0, 131_072, Some(65_536)).unwrap());
        assert_eq!(limiter.used(), 0);
    }
}
