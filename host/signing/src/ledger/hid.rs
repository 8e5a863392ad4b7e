//! A Ledger that is plugged in by USB.

use std::time::{Duration, Instant};

use hidapi::{HidApi, HidDevice, HidError};

use super::framing::{Assembly, PACKET_BYTES, packets};
use super::{Transport, TransportError};

/// Ledger's number among the makers of USB devices.
const VENDOR: u16 = 0x2c97;
/// What the interface for apps says that it is for; the others of a device are its keyboard and its security key.
const USAGE_PAGE: u16 = 0xffa0;

/// Exchanges with a Ledger that is plugged in.
pub struct HidTransport {
    device: HidDevice,
    timeout: Duration,
}

impl std::fmt::Debug for HidTransport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HidTransport").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl HidTransport {
    /// Opens the one Ledger that is plugged in. `timeout` is how long each command waits, which includes the time that a
    /// person needs to read and confirm.
    ///
    /// # Errors
    /// When there is none or more than one, or it can't be opened.
    pub fn open(timeout: Duration) -> Result<Self, TransportError> {
        let hid = HidApi::new().map_err(|error| failed(&error))?;
        let found: Vec<_> = hid
            .device_list()
            .filter(|device| device.vendor_id() == VENDOR && device.usage_page() == USAGE_PAGE)
            .collect();
        match found.as_slice() {
            [] => Err(TransportError::NotFound),
            [device] => {
                let device = device.open_device(&hid).map_err(|error| failed(&error))?;
                Ok(Self { device, timeout })
            }
            several => Err(TransportError::Several(several.len())),
        }
    }

    /// Throws away what the device answered to a command that nobody waited for any more.
    fn drop_late_answers(&self) -> Result<(), TransportError> {
        let mut packet = [0; PACKET_BYTES];
        while self.device.read_timeout(&mut packet, 0).map_err(|error| failed(&error))? > 0 {}
        Ok(())
    }
}

impl Transport for HidTransport {
    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        self.drop_late_answers()?;
        for packet in packets(command) {
            // The number of the report, of which there is only one, comes first.
            let mut report = [0; 1 + PACKET_BYTES];
            report[1..].copy_from_slice(&packet);
            self.device.write(&report).map_err(|error| failed(&error))?;
        }
        let deadline = Instant::now() + self.timeout;
        let mut assembly = Assembly::default();
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).as_millis();
            let mut packet = [0; PACKET_BYTES];
            let read = self
                .device
                .read_timeout(&mut packet, i32::try_from(left).unwrap_or(i32::MAX))
                .map_err(|error| failed(&error))?;
            match read {
                0 => return Err(TransportError::TimedOut),
                PACKET_BYTES => {}
                _ => return Err(TransportError::Framing("a packet is too short")),
            }
            if let Some(answer) = assembly.take(&packet)? {
                return Ok(answer);
            }
        }
    }
}

fn failed(error: &HidError) -> TransportError {
    TransportError::Failed(error.to_string())
}
