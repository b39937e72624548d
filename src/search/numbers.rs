//! Which of 4096 documents: a set of numbers that is kept as a list while it is short, and as bits from then on, so that
//! no row gets longer than 512 bytes however often a word occurs.

/// Numbers begin at 0 and are below this.
pub(super) const SIZE: i64 = 4096;
const BYTES: usize = 512;
const WORDS: usize = 64;

/// A set of numbers from 0 to 4095.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers([u64; WORDS]);

impl Numbers {
    /// None.
    pub(super) const fn none() -> Self {
        Self([0; WORDS])
    }

    /// What [`Self::to_bytes`] wrote. What no list or bits can be is read as far as it makes sense.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let mut numbers = Self::none();
        if bytes.len() == BYTES {
            for (word, bytes) in numbers.0.iter_mut().zip(bytes.as_chunks::<8>().0) {
                *word = u64::from_be_bytes(*bytes);
            }
        } else {
            for number in bytes.as_chunks::<2>().0 {
                numbers.insert(u16::from_be_bytes(*number).into());
            }
        }
        numbers
    }

    /// 512 bytes of bits, the first number lowest in the first 8; fewer are a list of 2 bytes each.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let count: usize = self.0.iter().map(|word| usize::try_from(word.count_ones()).unwrap_or(0)).sum();
        if count * 2 >= BYTES {
            return self.0.iter().flat_map(|word| word.to_be_bytes()).collect();
        }
        let mut list: Vec<u16> = self.descending().filter_map(|number| u16::try_from(number).ok()).collect();
        list.reverse();
        list.into_iter().flat_map(u16::to_be_bytes).collect()
    }

    /// Adds one; what is not below [`SIZE`] is left out.
    pub(super) fn insert(&mut self, number: i64) {
        if let Ok(number) = usize::try_from(number)
            && let Some(word) = self.0.get_mut(number / 64)
        {
            *word |= 1 << (number % 64);
        }
    }

    /// Adds those of another set.
    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }

    /// Keeps those only that are in another set too.
    pub(super) fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The highest first.
    pub(super) fn descending(&self) -> impl Iterator<Item = i64> {
        (0..SIZE).rev().filter(|number| {
            let number = usize::try_from(*number).unwrap_or(0);
            self.0[number / 64] >> (number % 64) & 1 == 1
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of(numbers: impl IntoIterator<Item = i64>) -> Numbers {
        let mut set = Numbers::none();
        numbers.into_iter().for_each(|number| set.insert(number));
        set
    }

    #[test]
    fn a_list_turns_into_bits() {
        assert_eq!(of([4095, 1]).to_bytes(), [0, 1, 0x0f, 0xff]);
        assert_eq!(of(0..255).to_bytes().len(), 510);
        assert_eq!(of(0..256).to_bytes().len(), BYTES);
        assert_eq!(of(0..SIZE).to_bytes(), [0xff; BYTES]);
        assert_eq!(of([-1, SIZE, i64::MAX]), Numbers::none());
    }

    proptest! {
        #[test]
        fn sets_survive_and_meet(
            one in prop::collection::btree_set(0i64..SIZE, 0..400),
            other in prop::collection::btree_set(0i64..SIZE, 0..400),
        ) {
            let (mut both, mut any) = (of(one.clone()), of(one.clone()));
            prop_assert_eq!(&Numbers::of_bytes(&any.to_bytes()), &any);
            both.keep(&Numbers::of_bytes(&of(other.clone()).to_bytes()));
            any.add(&of(other.clone()));
            let ascending = |set: &Numbers| set.descending().collect::<BTreeSet<i64>>();
            prop_assert_eq!(ascending(&both), &one & &other);
            prop_assert_eq!(ascending(&any), &one | &other);
            prop_assert!(any.descending().is_sorted_by(|higher, lower| higher > lower));
            prop_assert_eq!(both.is_empty(), one.is_disjoint(&other));
        }
    }
}
