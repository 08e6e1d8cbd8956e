//! An NS16550A UART, as `virt` boards have it: transmitting is never busy, receiving is polled, nothing interrupts.

/// Registers, by offset (16550 data sheet, "Register Summary").
const DATA: u32 = 0;
const INTERRUPT_ENABLE: u32 = 1;
/// Interrupt identification when read, FIFO control when written.
const FIFO: u32 = 2;
const LINE_CONTROL: u32 = 3;
const MODEM_CONTROL: u32 = 4;
const LINE_STATUS: u32 = 5;
const MODEM_STATUS: u32 = 6;
const SCRATCH: u32 = 7;

/// Line control: offsets 0 and 1 are the divisor's.
const DLAB: u8 = 0x80;
/// Line status: a character can be read.
const DATA_READY: u8 = 1;
/// Line status: what was transmitted is gone.
const TRANSMITTER_EMPTY: u8 = 0x60;
/// Interrupt identification: none is pending.
const NONE_PENDING: u8 = 1;
/// The same with FIFOs on.
const FIFO_ENABLED: u8 = 0xc0;
/// Modem status: carrier, data set ready, clear to send.
const CONNECTED: u8 = 0xb0;

/// How many bytes of addresses it takes.
pub(super) const SIZE: u32 = 0x100;

/// What a write asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// A character goes out.
    Character(u8),
    /// Nothing that anybody sees.
    Nothing,
}

/// The registers that hold something.
#[derive(Debug, Default)]
pub(super) struct Uart {
    interrupt_enable: u8,
    line_control: u8,
    modem_control: u8,
    scratch: u8,
    divisor: [u8; 2],
    fifo: bool,
    /// A character that was received and not read.
    pub(super) received: Option<u8>,
}

impl Uart {
    /// Whether reading this register looks for input.
    pub(super) fn wants_input(&self, offset: u32) -> bool {
        self.received.is_none()
            && match offset {
                DATA => self.line_control & DLAB == 0,
                LINE_STATUS => true,
                _ => false,
            }
    }

    pub(super) fn read(&mut self, offset: u32) -> u8 {
        let divisor = self.line_control & DLAB != 0;
        match offset {
            DATA | INTERRUPT_ENABLE if divisor => self.divisor[offset as usize],
            DATA => self.received.take().unwrap_or(0),
            INTERRUPT_ENABLE => self.interrupt_enable,
            FIFO if self.fifo => NONE_PENDING | FIFO_ENABLED,
            FIFO => NONE_PENDING,
            LINE_CONTROL => self.line_control,
            MODEM_CONTROL => self.modem_control,
            LINE_STATUS => {
                let ready = if self.received.is_some() {
                    DATA_READY
                } else {
                    0
                };
                TRANSMITTER_EMPTY | ready
            }
            MODEM_STATUS => CONNECTED,
            SCRATCH => self.scratch,
            _ => 0,
        }
    }

    pub(super) fn write(&mut self, offset: u32, value: u8) -> Written {
        let divisor = self.line_control & DLAB != 0;
        match offset {
            DATA | INTERRUPT_ENABLE if divisor => self.divisor[offset as usize] = value,
            DATA => return Written::Character(value),
            INTERRUPT_ENABLE => self.interrupt_enable = value & 0xf,
            FIFO => self.fifo = value & 1 != 0,
            LINE_CONTROL => self.line_control = value,
            MODEM_CONTROL => self.modem_control = value & 0x1f,
            SCRATCH => self.scratch = value,
            _ => {}
        }
        Written::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_find_what_they_set() {
        let mut uart = Uart::default();
        assert_eq!(uart.read(LINE_STATUS), TRANSMITTER_EMPTY);
        // What drivers do first: the divisor behind DLAB, eight bits, FIFOs.
        for (offset, value) in [(3, 0x80), (0, 3), (1, 1), (3, 3), (2, 7), (1, 1), (7, 0x5a)] {
            assert_eq!(uart.write(offset, value), Written::Nothing);
        }
        assert_eq!(uart.write(0, b'x'), Written::Character(b'x'));
        let read: Vec<u8> = (1..8).map(|offset| uart.read(offset)).collect();
        assert_eq!(read, [1, 0xc1, 3, 0, 0x60, 0xb0, 0x5a]);
        uart.write(3, 0x83);
        assert_eq!((uart.read(0), uart.read(1)), (3, 1));
        uart.write(3, 3);
        assert!(uart.wants_input(DATA) && uart.wants_input(LINE_STATUS));
        uart.received = Some(b'y');
        assert!(!uart.wants_input(LINE_STATUS));
        assert_eq!(uart.read(LINE_STATUS), 0x61);
        assert_eq!((uart.read(0), uart.read(5)), (b'y', 0x60));
    }
}
