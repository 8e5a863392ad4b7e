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
    /// None when the connection failed: it is looked for anew, as it may have been plugged out and in.
    device: Option<HidDevice>,
    timeout: Duration,
    /// Whether a command was not answered in time. The device still shows it, and will answer that first.
    owes: bool,
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
        Ok(Self { device: Some(find()?), timeout, owes: false })
    }
}

/// The one device that is plugged in.
fn find() -> Result<HidDevice, TransportError> {
    let hid = HidApi::new().map_err(|error| failed(&error))?;
    let found: Vec<_> = hid
        .device_list()
        .filter(|device| device.vendor_id() == VENDOR && device.usage_page() == USAGE_PAGE)
        .collect();
    match found.as_slice() {
        [] => Err(TransportError::NotFound),
        [device] => device.open_device(&hid).map_err(|error| failed(&error)),
        several => Err(TransportError::Several(several.len())),
    }
}

impl Transport for HidTransport {
    fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        let device = match self.device.take() {
            Some(device) => device,
            None => find()?,
        };
        let answered = self.exchange_with(&device, command);
        match answered {
            // Whatever was asked for before is gone with the connection.
            Err(TransportError::Failed(_)) => self.owes = false,
            _ => self.device = Some(device),
        }
        answered
    }
}

impl HidTransport {
    fn exchange_with(&mut self, device: &HidDevice, command: &[u8]) -> Result<Vec<u8>, TransportError> {
        if self.owes {
            // The answer to what was asked before is none to this: a person is waited for once more.
            answer(device, self.timeout)?;
            self.owes = false;
        }
        drop_late_answers(device)?;
        for packet in packets(command) {
            // The number of the report, of which there is only one, comes first.
            let mut report = [0; 1 + PACKET_BYTES];
            report[1..].copy_from_slice(&packet);
            device.write(&report).map_err(|error| failed(&error))?;
        }
        let answered = answer(device, self.timeout);
        self.owes = matches!(answered, Err(TransportError::TimedOut));
        answered
    }
}

/// Throws away what the device answered to a command that nobody waited for any more.
fn drop_late_answers(device: &HidDevice) -> Result<(), TransportError> {
    let mut packet = [0; PACKET_BYTES];
    while device.read_timeout(&mut packet, 0).map_err(|error| failed(&error))? > 0 {}
    Ok(())
}

/// The next answer of the device.
fn answer(device: &HidDevice, timeout: Duration) -> Result<Vec<u8>, TransportError> {
    let deadline = Instant::now() + timeout;
    let mut assembly = Assembly::default();
    loop {
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        let mut packet = [0; PACKET_BYTES];
        let read = device
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

fn failed(error: &HidError) -> TransportError {
    TransportError::Failed(error.to_string())
}
