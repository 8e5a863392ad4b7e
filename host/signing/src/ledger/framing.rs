//! How commands and answers travel over USB: in packets of 64 bytes, each with a channel, a tag and its number; the first
//! also says how long the whole is.

use super::TransportError;

/// The size of a packet.
pub(super) const PACKET_BYTES: usize = 64;
/// Channel 0x0101 and the tag of commands, 5.
const PREFIX: [u8; 3] = [0x01, 0x01, 0x05];
const HEADER_BYTES: usize = 5;
/// Answers are much shorter than this; what says that it is longer is refused before it is read.
const LONGEST_ANSWER: usize = 1024;

/// The packets of a command.
pub(super) fn packets(command: &[u8]) -> Vec<[u8; PACKET_BYTES]> {
    let mut message = Vec::with_capacity(2 + command.len());
    message.extend_from_slice(&u16::try_from(command.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend_from_slice(command);
    let parts = message.chunks(PACKET_BYTES - HEADER_BYTES);
    (0_u16..)
        .zip(parts)
        .map(|(number, part)| {
            let mut packet = [0; PACKET_BYTES];
            packet[..3].copy_from_slice(&PREFIX);
            packet[3..HEADER_BYTES].copy_from_slice(&number.to_be_bytes());
            packet[HEADER_BYTES..HEADER_BYTES + part.len()].copy_from_slice(part);
            packet
        })
        .collect()
}

/// Puts the packets of an answer together.
#[derive(Default)]
pub(super) struct Assembly {
    length: Option<usize>,
    bytes: Vec<u8>,
    next: u16,
}

impl Assembly {
    /// Takes the next packet; the answer, once it is whole.
    pub(super) fn take(&mut self, packet: &[u8; PACKET_BYTES]) -> Result<Option<Vec<u8>>, TransportError> {
        let (header, mut data) = packet.split_at(HEADER_BYTES);
        if header[..3] != PREFIX {
            return Err(TransportError::Framing("a packet is of another channel"));
        }
        if header[3..] != self.next.to_be_bytes() {
            return Err(TransportError::Framing("a packet is missing"));
        }
        self.next += 1;
        let length = match self.length {
            Some(length) => length,
            None => {
                let length = usize::from(u16::from_be_bytes([data[0], data[1]]));
                data = &data[2..];
                if length > LONGEST_ANSWER {
                    return Err(TransportError::Framing("it is too long"));
                }
                self.length = Some(length);
                length
            }
        };
        let wanted = length - self.bytes.len();
        self.bytes.extend_from_slice(&data[..wanted.min(data.len())]);
        Ok((self.bytes.len() == length).then(|| std::mem::take(&mut self.bytes)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assembled(packets: &[[u8; PACKET_BYTES]]) -> Result<Option<Vec<u8>>, TransportError> {
        let mut assembly = Assembly::default();
        let mut whole = None;
        for packet in packets {
            assert!(whole.is_none(), "there is nothing after the last packet");
            whole = assembly.take(packet)?;
        }
        Ok(whole)
    }

    #[test]
    fn a_command_is_framed_as_documented() {
        let packets = packets(&[0xe0, 0x02, 0x00, 0x00, 0x00]);
        assert_eq!(packets.len(), 1);
        assert_eq!(packets[0][..12], [0x01, 0x01, 0x05, 0, 0, 0, 5, 0xe0, 0x02, 0, 0, 0]);
        assert!(packets[0][12..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn packets_that_are_missing_foreign_or_too_long_are_refused() {
        let whole = packets(&[7; 200]);
        assert!(assembled(&[whole[0], whole[2]]).is_err());
        assert!(assembled(&[whole[1]]).is_err());
        let mut foreign = whole[0];
        foreign[1] = 2;
        assert!(assembled(&[foreign]).is_err());
        let mut long = whole[0];
        long[5] = 0xff;
        assert!(assembled(&[long]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_taken_apart_is_put_together(bytes in prop::collection::vec(any::<u8>(), 1..1000)) {
            prop_assert_eq!(assembled(&packets(&bytes)).unwrap(), Some(bytes));
        }

        #[test]
        fn no_packets_make_it_panic(packets in prop::collection::vec(any::<[u8; 32]>(), 1..6)) {
            let mut assembly = Assembly::default();
            for (number, half) in (0_u8..).zip(packets) {
                let mut packet = [0; PACKET_BYTES];
                packet[32..].copy_from_slice(&half);
                packet[..3].copy_from_slice(&PREFIX);
                packet[4] = number;
                packet[5..7].copy_from_slice(&half[..2]);
                packet[5] &= 3;
                let _ = assembly.take(&packet);
            }
        }
    }
}
