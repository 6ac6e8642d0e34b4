//! What the stamps of a series count, and how a time is written.

use chrono::{Datelike, NaiveDateTime};
use chrono_tz::Tz;

use super::zone::{Zone, date, offset_at, shown_offset, universal_times};

/// What stamps count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Something without a calendar.
    Counts,
    /// Seconds since 1970 on the clock of the series.
    Wall(Zone),
    /// Seconds since 1970 at UTC; the clock of the series stands at a place.
    Universal(Tz),
}

/// How a time is written, beside its offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// `2024-03-01`
    Date,
    /// `2024-03-01 12:00:00`
    DateAndTime,
    /// `2024-03`
    Month,
    /// `2024Q1`
    Quarter,
}

impl Scale {
    /// What the clock of the series shows at `stamp`.
    pub(super) fn wall(self, stamp: i64) -> NaiveDateTime {
        match self {
            Self::Counts | Self::Wall(_) => date(stamp),
            Self::Universal(place) => date(stamp.saturating_add(offset_at(place, stamp))),
        }
    }

    /// `stamp` as people write it.
    pub(super) fn label(self, stamp: i64, notation: Notation) -> String {
        if self == Self::Counts {
            return stamp.to_string();
        }
        let at = self.wall(stamp);
        let text = match notation {
            Notation::Date => at.format("%Y-%m-%d").to_string(),
            Notation::DateAndTime => at.format("%Y-%m-%d %H:%M:%S").to_string(),
            Notation::Month => at.format("%Y-%m").to_string(),
            Notation::Quarter => format!("{}Q{}", at.year(), at.month0() / 3 + 1),
        };
        let has_offset = matches!(notation, Notation::Date | Notation::DateAndTime);
        if has_offset { text + &self.shown_offset(stamp) } else { text }
    }

    fn shown_offset(self, stamp: i64) -> String {
        match self {
            Self::Counts | Self::Wall(Zone::Unsaid) => String::new(),
            Self::Wall(Zone::Universal) => "Z".into(),
            Self::Wall(Zone::Fixed(seconds)) => shown_offset(i64::from(seconds)),
            Self::Wall(Zone::Place(place)) => {
                // A time that a turn of the clock leaves out is written as by the offset before it.
                let universal = universal_times(place, stamp).first().copied();
                let universal =
                    universal.unwrap_or_else(|| stamp - offset_at(place, stamp.saturating_sub(86_400)));
                shown_offset(offset_at(place, universal))
            }
            Self::Universal(place) => shown_offset(offset_at(place, stamp)),
        }
    }

    /// Whether the clock of the series stands somewhere that is said.
    pub(super) fn has_zone(self) -> bool {
        !matches!(self, Self::Counts | Self::Wall(Zone::Unsaid))
    }
}
