//! [`Scalar`]: the integers that guest loads and stores move.

/// A type that guest loads and stores move: `u8`, `u16` or `u32`, little endian.
pub trait Scalar: Copy + sealed::Sealed {
    /// Bytes.
    const SIZE: u32;
    /// From the first `SIZE` bytes.
    fn from_bytes(bytes: [u8; 4]) -> Self;
    /// In the first `SIZE` bytes; the rest zero.
    fn to_bytes(self) -> [u8; 4];
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! scalar {
    ($($t:ident: $size:literal),*) => { $(
        impl sealed::Sealed for $t {}
        impl Scalar for $t {
            const SIZE: u32 = $size;
            fn from_bytes(bytes: [u8; 4]) -> $t {
                let mut own = [0; $size];
                own.copy_from_slice(&bytes[..$size]);
                $t::from_le_bytes(own)
            }
            fn to_bytes(self) -> [u8; 4] {
                let mut all = [0; 4];
                all[..$size].copy_from_slice(&self.to_le_bytes());
                all
            }
        }
    )* };
}
scalar!(u8: 1, u16: 2, u32: 4);
