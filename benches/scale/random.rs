//! The same pseudo-random choices in every run, without fractions: an order of things by how often they occur, in which
//! the second occurs half as often as the first, the third a third as often, as words of a language do.

/// splitmix64.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly below `end`.
    pub(super) fn below(&mut self, end: i64) -> i64 {
        let end = u128::try_from(end).expect("a positive number");
        i64::try_from((u128::from(self.next()) * end) >> 64).expect("a smaller number")
    }

    /// In so many of 10,000 cases.
    pub(super) fn in_ten_thousand(&mut self, cases: i64) -> bool {
        self.below(10_000) < cases
    }

    pub(super) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        let count = i64::try_from(all.len()).expect("a length");
        &all[usize::try_from(self.below(count)).expect("an index")]
    }
}

/// Words by how often they occur.
pub(super) struct Words {
    words: Vec<String>,
    /// The sum of the weights so far.
    until: Vec<i64>,
}

impl Words {
    pub(super) fn new(random: &mut Random, count: usize) -> Self {
        let mut words: Vec<String> = vec!["order".to_owned(), "delivery".to_owned()];
        let mut known: std::collections::HashSet<String> = words.iter().cloned().collect();
        while words.len() < count {
            let syllables = 2 + random.below(3);
            let word = spoken(random, syllables);
            if known.insert(word.clone()) {
                words.push(word);
            }
        }
        let mut sum = 0;
        let until = (1..).take(count).map(|rank| {
            sum += 1_000_000_000 / rank;
            sum
        });
        Self { until: until.collect(), words }
    }

    pub(super) fn next(&self, random: &mut Random) -> &str {
        let place = random.below(*self.until.last().expect("words"));
        &self.words[self.until.partition_point(|until| *until <= place)]
    }

    /// The word that only so many occur more often than.
    pub(super) fn at(&self, rank: usize) -> &str {
        &self.words[rank]
    }
}

/// Something that can be said.
pub(super) fn spoken(random: &mut Random, syllables: i64) -> String {
    const SYLLABLES: [&str; 24] = [
        "ka", "re", "mo", "ti", "lu", "san", "vi", "do", "pe", "ra", "no", "ber", "li", "ha", "ju", "ma", "ne", "so",
        "ta", "wi", "zo", "fe", "gu", "en",
    ];
    (0..syllables).map(|_| *random.one_of(&SYLLABLES)).collect()
}
