//! What zkVMs compute beside their guests, as far as it is here: SHA-256's two steps (FIPS 180-4, 6.2.2), Keccak's
//! permutation (FIPS 202, 3.2) and Keccak-256 as Ethereum has it, products of 256 bits.

/// The first 32 bits of the fractions of the cube roots of the first 64 primes (FIPS 180-4, 4.2.2).
#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1,
    0x923f_82a4, 0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3,
    0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786,
    0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147,
    0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13,
    0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
    0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a,
    0x5b9c_ca4f, 0x682e_6ff3, 0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208,
    0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// Rounds' constants (FIPS 202, 3.2.5).
#[rustfmt::skip]
const ROUND: [u64; 24] = [
    0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808a,
    0x8000_0000_8000_8000, 0x0000_0000_0000_808b, 0x0000_0000_8000_0001,
    0x8000_0000_8000_8081, 0x8000_0000_0000_8009, 0x0000_0000_0000_008a,
    0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000a,
    0x0000_0000_8000_808b, 0x8000_0000_0000_008b, 0x8000_0000_0000_8089,
    0x8000_0000_0000_8003, 0x8000_0000_0000_8002, 0x8000_0000_0000_0080,
    0x0000_0000_0000_800a, 0x8000_0000_8000_000a, 0x8000_0000_8000_8081,
    0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
];

/// The low 32 bits.
pub(super) fn low_half(value: u64) -> u32 {
    let [b0, b1, b2, b3, ..] = value.to_le_bytes();
    u32::from_le_bytes([b0, b1, b2, b3])
}

/// Computes the words from 16 on of a message schedule.
pub(super) fn sha256_extend(w: &mut [u32; 64]) {
    for n in 16..64 {
        let (a, b) = (w[n - 15], w[n - 2]);
        let s0 = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
        let s1 = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
        w[n] = w[n - 16]
            .wrapping_add(s0)
            .wrapping_add(w[n - 7])
            .wrapping_add(s1);
    }
}

/// Takes a block, of which this is the schedule, into the state.
pub(super) fn sha256_compress(state: &mut [u32; 8], w: &[u32; 64]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (k, w) in K.iter().zip(w) {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = (e & f) ^ (!e & g);
        let t1 = h
            .wrapping_add(s1)
            .wrapping_add(choice)
            .wrapping_add(*k)
            .wrapping_add(*w);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let t2 = s0.wrapping_add(majority);
        (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
        (d, c, b, a) = (c, b, a, t1.wrapping_add(t2));
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(add);
    }
}

/// Keccak-f\[1600\]; lane (x, y) is at x + 5y.
pub(super) fn keccak_f(lanes: &mut [u64; 25]) {
    for constant in ROUND {
        // Theta.
        let parity: [u64; 5] =
            std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ lanes[x + 5 * y]));
        for (n, lane) in lanes.iter_mut().enumerate() {
            *lane ^= parity[(n + 4) % 5] ^ parity[(n + 1) % 5].rotate_left(1);
        }
        // Rho and pi: the lanes but the first are one cycle, and the distances triangular numbers.
        let (mut x, mut y) = (1, 0);
        let mut moved = lanes[1];
        for step in 1..=24u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let distance = step * (step + 1) / 2 % 64;
            moved = std::mem::replace(&mut lanes[x + 5 * y], moved.rotate_left(distance));
        }
        // Chi.
        for row in lanes.as_chunks_mut::<5>().0 {
            let old = *row;
            for (x, lane) in row.iter_mut().enumerate() {
                *lane ^= !old[(x + 1) % 5] & old[(x + 2) % 5];
            }
        }
        // Iota.
        lanes[0] ^= constant;
    }
}

/// Bytes that Keccak-256 takes in at one time.
const RATE: usize = 136;

/// Keccak-256 with the padding that Ethereum has, which SHA3-256 later changed.
#[derive(Debug, Default)]
pub(super) struct Keccak256 {
    lanes: [u64; 25],
    /// Bytes of the block that were taken in.
    filled: usize,
}

impl Keccak256 {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.xor(self.filled, byte);
            self.filled += 1;
            if self.filled == RATE {
                keccak_f(&mut self.lanes);
                self.filled = 0;
            }
        }
    }

    pub(super) fn finish(mut self) -> [u8; 32] {
        self.xor(self.filled, 0x01);
        self.xor(RATE - 1, 0x80);
        keccak_f(&mut self.lanes);
        std::array::from_fn(|n| self.lanes[n / 8].to_le_bytes()[n % 8])
    }

    fn xor(&mut self, at: usize, byte: u8) {
        self.lanes[at / 8] ^= u64::from(byte) << (8 * (at % 8));
    }
}

/// An unsigned number of 256 bits; the lowest word first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct U256(pub(super) [u32; 8]);

impl U256 {
    /// The product modulo `modulus`; 0 stands for 2^256.
    pub(super) fn mul_mod(self, other: U256, modulus: U256) -> U256 {
        let mut product = [0u32; 16];
        for (n, &x) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (m, &y) in other.0.iter().enumerate() {
                let sum = u64::from(x) * u64::from(y) + u64::from(product[n + m]) + carry;
                product[n + m] = low_half(sum);
                carry = sum >> 32;
            }
            product[n + 8] = low_half(carry);
        }
        let (low, _) = product.split_at(8);
        if modulus.0 == [0; 8] {
            return U256(std::array::from_fn(|n| low[n]));
        }
        // Division bit by bit; the rest is below the modulus, so that twice the rest has 257 bits at most.
        let mut rest = U256([0; 8]);
        for bit in (0..512).rev() {
            let next = product[bit / 32] >> (bit % 32) & 1;
            let overflow = rest.double(next);
            if overflow || rest.at_least(modulus) {
                rest.subtract(modulus);
            }
        }
        rest
    }

    /// Twice the number and `bit`; whether it has 257 bits.
    fn double(&mut self, bit: u32) -> bool {
        let mut carry = bit;
        for word in &mut self.0 {
            let out = *word >> 31;
            *word = *word << 1 | carry;
            carry = out;
        }
        carry != 0
    }

    fn at_least(&self, other: U256) -> bool {
        self.0.iter().rev().cmp(other.0.iter().rev()).is_ge()
    }

    fn subtract(&mut self, other: U256) {
        let mut borrow = false;
        for (word, &by) in self.0.iter_mut().zip(&other.0) {
            let (first, b0) = word.overflowing_sub(by);
            let (second, b1) = first.overflowing_sub(borrow.into());
            *word = second;
            borrow = b0 || b1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The square roots' fractions of the first eight primes (FIPS 180-4, 5.3.3).
    const START: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];

    #[test]
    fn sha256_of_abc() {
        let mut w = [0; 64];
        (w[0], w[15]) = (0x6162_6380, 24);
        let mut state = START;
        sha256_extend(&mut w);
        sha256_compress(&mut state, &w);
        let expected = [
            0xba78_16bf,
            0x8f01_cfea,
            0x4141_40de,
            0x5dae_2223,
            0xb003_61a3,
            0x9617_7a9c,
            0xb410_ff61,
            0xf200_15ad,
        ];
        assert_eq!(state, expected);
    }

    #[test]
    fn keccak256_of_known_texts() {
        let rows: [(&[u8], &str); 2] = [
            (
                b"",
                "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
            ),
            (
                b"abc",
                "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
            ),
        ];
        for (text, expected) in rows {
            let mut hash = Keccak256::default();
            hash.update(text);
            let hex: String = hash.finish().iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, expected);
        }
        // Across blocks, whole or in pieces.
        let long: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let mut whole = Keccak256::default();
        whole.update(&long);
        let mut pieces = Keccak256::default();
        long.chunks(7).for_each(|piece| pieces.update(piece));
        assert_eq!(whole.finish(), pieces.finish());
    }

    fn small(value: u32) -> U256 {
        U256([value, 0, 0, 0, 0, 0, 0, 0])
    }

    #[test]
    fn products() {
        let max = U256([u32::MAX; 8]);
        let zero = small(0);
        let rows = [
            (small(6), small(7), small(10), small(2)),
            (small(6), small(7), zero, small(42)),
            // (2^256 - 1)^2 is 1 modulo 2^256, 0 modulo itself, and 1 modulo 2^256 - 2.
            (max, max, zero, small(1)),
            (max, max, max, zero),
            (
                max,
                max,
                U256([
                    u32::MAX - 1,
                    u32::MAX,
                    u32::MAX,
                    u32::MAX,
                    u32::MAX,
                    u32::MAX,
                    u32::MAX,
                    u32::MAX,
                ]),
                small(1),
            ),
            (max, small(1), small(1), zero),
            // 2^128 * 2^128 modulo 2^256 - 1.
            (
                U256([0, 0, 0, 0, 1, 0, 0, 0]),
                U256([0, 0, 0, 0, 1, 0, 0, 0]),
                max,
                small(1),
            ),
        ];
        for (x, y, modulus, expected) in rows {
            assert_eq!(x.mul_mod(y, modulus), expected, "{x:?} {y:?} {modulus:?}");
        }
    }
}
