//! What a model costs, by the hour and by the length of the prompt.
//!
//! **Invariant:** what [`Tariff::within`] says is never less than what [`Tariff::at`] says of any moment in that time.
//!
//! Times come in as values, in seconds since 1970 in UTC. Where the numbers come from is the configuration's affair.

use crate::{Money, Price};

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// What a model costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// At most hours, for a prompt of usual length.
    pub price: Price,
    /// When everything costs more.
    pub peak: Option<Peak>,
    /// Which requests cost more for their length.
    pub long: Option<Long>,
}

/// Hours at which everything costs more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peak {
    /// Times of day.
    pub windows: Vec<Window>,
    /// Days on which these hours begin, Monday first.
    pub days: [bool; 7],
    /// How many times the usual price.
    pub factor: Factor,
}

/// A time of day in UTC, in minutes since midnight; `until` is outside. One that ends before it begins goes on after midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When it begins.
    pub from: u16,
    /// When it is over.
    pub until: u16,
}

/// Requests whose whole price is another one because their prompt is long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Long {
    /// The longest prompt at the usual price, in tokens.
    pub above: u64,
    /// How many times the usual price a prompt token costs.
    pub prompt: Factor,
    /// The same of a token that the model writes.
    pub output: Factor,
}

/// How many times a price, in hundredths, and at least once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(u32);

impl Factor {
    /// From a number between 1 and 100, to the nearest hundredth.
    pub fn new(times: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        (1.0..=100.0).contains(&times).then(|| Self((times * 100.0).round() as u32))
    }

    /// As a number.
    pub fn times(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    fn of(self, money: Money) -> Money {
        let nano = (u128::from(money.nano_usd) * u128::from(self.0)).div_ceil(100);
        Money { nano_usd: u64::try_from(nano).unwrap_or(u64::MAX) }
    }
}

impl Price {
    /// This many times: prompts and answers.
    #[must_use]
    fn times(self, prompt: Factor, output: Factor) -> Price {
        let (hit, miss, write) = (prompt.of(self.hit), prompt.of(self.miss), self.write.map(|write| prompt.of(write)));
        Price { hit, miss, write, output: output.of(self.output) }
    }

    /// Of each part the dearer one.
    #[must_use]
    pub fn or_dearer(self, other: Price) -> Price {
        let write = |price: &Price| price.write.unwrap_or(price.miss);
        let dearest = write(&self).max(write(&other));
        let miss = self.miss.max(other.miss);
        Price {
            hit: self.hit.max(other.hit),
            miss,
            write: (self.write.is_some() || other.write.is_some()).then_some(dearest),
            output: self.output.max(other.output),
        }
    }
}

impl From<Price> for Tariff {
    fn from(price: Price) -> Self {
        Self { price, peak: None, long: None }
    }
}

impl Tariff {
    /// The price at a moment of a request with so many prompt tokens.
    pub fn at(&self, time: u64, prompt: u64) -> Price {
        let is_peak = self.peak.as_ref().is_some_and(|peak| peak.holds(time));
        self.price_of(is_peak, self.long.is_some_and(|long| prompt > long.above))
    }

    /// The dearest price between two moments.
    pub fn within(&self, from: u64, until: u64, prompt: u64) -> Price {
        let mut moments = (from..=until).step_by(usize::try_from(MINUTE).unwrap_or(1)).chain([until]);
        let is_peak = self.peak.as_ref().is_some_and(|peak| moments.any(|time| peak.holds(time)));
        self.price_of(is_peak, self.long.is_some_and(|long| prompt > long.above))
    }

    /// The dearest price of all, whenever and however long.
    pub fn dearest(&self) -> Price {
        self.price_of(self.peak.is_some(), self.long.is_some())
    }

    /// The price at peak hours, where there are any.
    pub fn at_peak(&self) -> Option<Price> {
        self.peak.as_ref().map(|_| self.price_of(true, false))
    }

    fn price_of(&self, is_peak: bool, is_long: bool) -> Price {
        let price = match &self.peak {
            Some(peak) if is_peak => self.price.times(peak.factor, peak.factor),
            _ => self.price,
        };
        match self.long {
            Some(long) if is_long => price.times(long.prompt, long.output),
            _ => price,
        }
    }
}

impl Peak {
    fn holds(&self, time: u64) -> bool {
        let minute = u16::try_from(time % DAY / MINUTE).unwrap_or_default();
        let (today, yesterday) = (self.is_day(time / DAY), (time / DAY).checked_sub(1).is_some_and(|day| self.is_day(day)));
        let holds = |Window { from, until }: &Window| {
            let goes_on = from > until;
            let begun = today && minute >= *from && (goes_on || minute < *until);
            begun || (goes_on && yesterday && minute < *until)
        };
        self.windows.iter().any(holds)
    }

    /// The first day of 1970 was a Thursday.
    fn is_day(&self, day: u64) -> bool {
        self.days[usize::try_from((day + 3) % 7).unwrap_or_default()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKDAYS: [bool; 7] = [true, true, true, true, true, false, false];
    /// Monday, 2026-11-23, at midnight.
    const MONDAY: u64 = 1_795_392_000;

    fn tariff(windows: &[(u16, u16)]) -> Tariff {
        let usd = |usd| Money::from_usd(usd).unwrap();
        let windows = windows.iter().map(|(from, until)| Window { from: from * 60, until: until * 60 }).collect();
        let peak = Peak { windows, days: WORKDAYS, factor: Factor::new(2.0).unwrap() };
        let long = Long { above: 1_000, prompt: Factor::new(2.0).unwrap(), output: Factor::new(1.5).unwrap() };
        let price = Price { hit: usd(0.003), miss: usd(0.15), write: None, output: usd(0.60) };
        Tariff { price, peak: Some(peak), long: Some(long) }
    }

    fn output_at(tariff: &Tariff, time: u64, prompt: u64) -> f64 {
        tariff.at(time, prompt).output.usd()
    }

    #[test]
    fn peak_hours_hold_on_their_days_and_between_their_times() {
        let day = tariff(&[(1, 4), (6, 10)]);
        let hour = |day: u64, hour: u64| MONDAY + day * DAY + hour * 60 * MINUTE;
        for (time, expected) in [
            (hour(0, 0), 0.6),
            (hour(0, 1), 1.2),
            (hour(0, 4) - 1, 1.2),
            (hour(0, 4), 0.6),
            (hour(4, 9), 1.2),
            (hour(5, 9), 0.6),
            (hour(6, 9), 0.6),
        ] {
            assert!((output_at(&day, time, 1) - expected).abs() < 1e-9, "{time}");
        }
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = tariff(&[(22, 2)]);
        let at = |day: u64, hour: u64| output_at(&night, MONDAY + day * DAY + hour * 60 * MINUTE, 1) > 1.0;
        assert_eq!([at(0, 1), at(0, 23), at(1, 1), at(5, 1), at(5, 23), at(6, 1)], [false, true, true, true, false, false]);
    }

    #[test]
    fn a_request_that_may_run_into_peak_hours_is_thought_to_cost_what_it_costs_there() {
        let day = tariff(&[(1, 4)]);
        let (before, hour) = (MONDAY + 30 * MINUTE, 60 * MINUTE);
        assert_eq!(day.within(before, before + 10 * MINUTE, 1), day.at(before, 1));
        assert_eq!(day.within(before, before + hour, 1), day.at(MONDAY + hour, 1));
        assert_eq!(day.within(before, before + 30 * MINUTE, 1), day.at(MONDAY + hour, 1), "to the second");
    }

    #[test]
    fn a_long_prompt_makes_the_whole_request_dearer() {
        let day = tariff(&[(1, 4)]);
        assert!((output_at(&day, MONDAY, 1_000) - 0.6).abs() < 1e-9);
        assert!((output_at(&day, MONDAY, 1_001) - 0.9).abs() < 1e-9);
        let dearest = day.dearest();
        assert!((dearest.miss.usd() - 0.6).abs() < 1e-9 && (dearest.output.usd() - 1.8).abs() < 1e-9, "{dearest:?}");
        assert_eq!(day.at_peak().unwrap().output.usd().to_string(), "1.2");
    }

    #[test]
    fn of_two_prices_each_part_is_the_dearer_one() {
        let usd = |usd| Money::from_usd(usd).unwrap();
        let one = Price { hit: usd(1.0), miss: usd(2.0), write: None, output: usd(3.0) };
        let two = Price { hit: usd(0.5), miss: usd(1.0), write: Some(usd(1.5)), output: usd(9.0) };
        let both = Price { hit: usd(1.0), miss: usd(2.0), write: Some(usd(2.0)), output: usd(9.0) };
        assert_eq!((one.or_dearer(two), two.or_dearer(one)), (both, both));
    }
}
